// Starts a PostgreSQL server, says where it is, and waits to be killed.

import { startServer } from "../../scripts/postgres/server.mjs";

const { url, data } = await startServer({ settings: { listen_addresses: "127.0.0.1" } });
console.log(JSON.stringify({ url: url("postgres"), data }));
setInterval(() => undefined, 1_000);
