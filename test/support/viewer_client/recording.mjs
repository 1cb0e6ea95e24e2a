// A recording as Lichtblick opens it: node recording.mjs FILE.mcap [TOPIC...]
// {topic: {"schema": name, "messages": [[log time s, message], ...]}} of the topics that are named; all are decoded.
import { open } from "node:fs/promises";
import { McapIndexedReader } from "@mcap/core";
import { loadDecompressHandlers } from "@mcap/support";
import { Decoder, told } from "./messages.mjs";

const [path, ...topics] = process.argv.slice(2);
const file = await open(path);
const readable = {
  size: async () => BigInt((await file.stat()).size),
  read: async (offset, length) => {
    const bytes = new Uint8Array(Number(length));
    await file.read(bytes, 0, Number(length), Number(offset));
    return bytes;
  },
};
const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers: await loadDecompressHandlers() });
const decoder = new Decoder();
const found = {};
for await (const message of reader.readMessages()) {
  const channel = reader.channelsById.get(message.channelId);
  const schema = reader.schemasById.get(channel.schemaId);
  const decoded = decoder.decode(
    {
      topic: channel.topic,
      encoding: channel.messageEncoding,
      schemaEncoding: schema.encoding,
      schemaName: schema.name,
      schema: new TextDecoder().decode(schema.data),
    },
    message.data,
  );
  const one = (found[channel.topic] ??= { schema: schema.name, messages: [] });
  one.messages.push([Number(message.logTime) / 1e9, topics.includes(channel.topic) ? decoded : null]);
}
console.log(told(found));
