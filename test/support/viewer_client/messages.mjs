// ROS 2 messages as the viewers decode them, and as JSON.
import { parse } from "@lichtblick/rosmsg";
import { MessageReader } from "@lichtblick/rosmsg2-serialization";

export class Decoder {
  #readers = new Map();

  /** Decode a message of a channel { schemaEncoding, schemaName, schema: text, encoding }. */
  decode(channel, data) {
    if (channel.encoding !== "cdr" || channel.schemaEncoding !== "ros2msg") {
      throw new Error(`${channel.topic}: ${channel.encoding} by ${channel.schemaEncoding}`);
    }
    if (!this.#readers.has(channel.schemaName)) {
      this.#readers.set(channel.schemaName, new MessageReader(parse(channel.schema, { ros2: true })));
    }
    return this.#readers.get(channel.schemaName).readMessage(data);
  }
}

/** JSON of a decoded message; bytes and grids as lists. */
export function told(message) {
  return JSON.stringify(message, (_, value) =>
    typeof value === "bigint" ? Number(value) : ArrayBuffer.isView(value) ? Array.from(value) : value,
  );
}
