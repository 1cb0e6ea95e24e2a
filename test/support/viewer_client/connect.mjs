// A connection as Lichtblick makes it (FoxgloveWebSocketPlayer): node connect.mjs ADDRESS MOVING LATCHED...
// It looks at the topic MOVING first. When that has brought a message a panel comes that looks at the others, goes,
// and comes again at once. Of each time the first message of each topic is printed: {"late": {...}, "again": {...}}.
import protocol from "@foxglove/ws-protocol";
import { WebSocket } from "ws";
import { Decoder, told } from "./messages.mjs";

const { FoxgloveClient } = protocol;
const [address, moving, ...latched] = process.argv.slice(2);
const PATIENCE_MS = 15_000; // less than until a show starts again
const decoder = new Decoder();
const channels = new Map();
const subscribed = new Map();
const awaited = new Map();

const socket = new WebSocket(address, [FoxgloveClient.SUPPORTED_SUBPROTOCOL, "foxglove.sdk.v1"]);
const client = new FoxgloveClient({ ws: socket });
client.on("error", (error) => console.error(error.message)); // as the app: it knows no playback state
client.on("close", () => fail("the server closed the connection"));
client.on("status", (status) => fail(`the server says: ${status.message}`));
client.on("message", ({ subscriptionId, data }) => {
  const channel = subscribed.get(subscriptionId);
  awaited.get(channel.topic)?.(decoder.decode(channel, data));
});
const whole = new Promise((resolve) => {
  client.on("advertise", (offered) => {
    offered.forEach((channel) => channels.set(channel.topic, channel));
    if ([moving, ...latched].every((topic) => channels.has(topic))) {
      resolve();
    }
  });
});

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

function subscribe(topics) {
  return topics.map((topic) => {
    const id = client.subscribe(channels.get(topic).id);
    subscribed.set(id, channels.get(topic));
    return id;
  });
}

/** The next message of each topic. */
async function firsts(topics) {
  const missing = new Set(topics);
  const late = setTimeout(() => fail(`nothing came on ${[...missing].join(", ")}`), PATIENCE_MS);
  const found = {};
  await Promise.all(
    topics.map(async (topic) => {
      found[topic] = await new Promise((resolve) => awaited.set(topic, resolve));
      awaited.delete(topic);
      missing.delete(topic);
    }),
  );
  clearTimeout(late);
  return found;
}

const announced = setTimeout(() => fail(`offered are only ${[...channels.keys()].join(", ")}`), PATIENCE_MS);
await whole;
clearTimeout(announced);
const began = firsts([moving]);
subscribe([moving]);
await began;
let coming = firsts(latched);
const panel = subscribe(latched);
const late = await coming;
coming = firsts(latched);
panel.forEach((id) => client.unsubscribe(id));
subscribe(latched);
process.stdout.write(told({ late, again: await coming }), () => process.exit(0));
