/** The cost of the framework alone: a route that does nothing. */

import Fastify from "fastify";

const app = Fastify({ forceCloseConnections: true });
app.post("/", () => ({}));
app.get("/", () => ({}));
await app.listen({ host: "127.0.0.1", port: 0, listenTextResolver: () => "" });
process.on("disconnect", () => void app.close());
process.send({ url: `http://127.0.0.1:${app.server.address().port}` });
