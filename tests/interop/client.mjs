// An MCP host written with the official TypeScript SDK: lists a stdio server's tools, calls some, says what it saw.
//
// node client.mjs NODE_MODULES '{"era": …, "command": […], "env": {…}, "calls": [[tool, arguments], …]}'
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, asked] = process.argv.slice(2);
const { era, command, env, calls } = JSON.parse(asked);
// The packages are in the user's cache, not above this file, where an import would look for them.
const require = createRequire(join(folder, "here"));
const { Client } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

const mode = era === "modern" ? { pin: "2026-07-28" } : era;
const client = new Client({ name: "interop", version: "1" }, { versionNegotiation: { mode } });
await client.connect(new StdioClientTransport({ command: command[0], args: command.slice(1), env }));
const { tools } = await client.listTools();
const results = [];
for (const [name, args] of calls) {
  results.push(await client.callTool({ name, arguments: args }));
}
console.log(JSON.stringify({ version: client.getNegotiatedProtocolVersion(), tools, results }));
await client.close();
