"""One secret of each kind. None was ever given to anybody; they are put together here, so that no scanner takes this
file for a leak."""

from __future__ import annotations

BODY = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"[:64] for _ in range(5))
BLOCK = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"

SECRETS = {
    "AWS Access Key": "AKIA" + "IOSFODNN7EXAMPLE",
    "Anthropic API Key": "sk-ant-" + "api03-abcdefghijklmnop_QRST",
    "API Key": "sk-" + "proj-a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6",
    "Basic Auth Credentials": "://" + "deploy:hunter2again@",
    "GitHub Token": "ghp_" + "a" * 36,
    "GitLab Token": "glpat-" + "a" * 20,
    "JSON Web Token": JWT,
    "NPM tokens": "//registry.example/:_authToken=" + "npm_abcdefghijkl",
    "PyPI Token": "pypi-" + "AgEIcHlwaS5vcmc" + "a" * 80,
    "Slack Token": "xoxb-" + "1234-5678-abcdef",
    "Stripe Access Key": "sk_live_" + "a" * 24,
    "Google API Key": "AIza" + "a" * 35,
    "Private Key": BLOCK,
    "OpenAI Token": "sk-" + "a" * 20 + "T3BlbkFJ" + "b" * 20,
    "Hugging Face Token": "hf_" + "a" * 34,
    "Azure Storage Account access key": "AccountKey=" + "a" * 86 + "==",
    "Mailchimp Access Key": "0123456789abcdef" * 2 + "-us12",
    "SendGrid API Key": "SG." + "a" * 22 + "." + "b" * 43,
    "Square OAuth Secret": "sq0csp-" + "a" * 43,
}
