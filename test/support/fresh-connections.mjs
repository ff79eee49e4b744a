// Sends COUNT tasks to the service at URL at once, each on a connection of its own, and says the status of each.
// usage: fresh-connections.mjs URL COUNT

import { request } from "node:http";

const [url, count] = process.argv.slice(2);
for (let index = 0; index < Number(count); index++) {
  const body = JSON.stringify({ repo: `acme/lane-${index}`, work_item_id: "A" });
  request(`${url}/tasks`, {
    method: "POST",
    agent: false,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  })
    .on("response", (response) => {
      response.resume();
      process.stdout.write(`${response.statusCode}\n`);
    })
    .end(body);
}
