"""The ledger as an auditor reads it: filtered, one record after the other, in bounded memory."""
