/// What somebody published on a channel.
package struct RedisMessage: Sendable, Equatable {
    /// Where it was published.
    package let channel: String
    package let payload: [UInt8]

    package init(channel: String, payload: [UInt8]) {
        self.channel = channel
        self.payload = payload
    }

    /// The message in a reply of a subscribed connection, if it is one.
    init?(_ reply: RedisValue) {
        guard let parts = reply.array, parts.count == 4, parts[0].string == "pmessage",
            let channel = parts[2].string, let payload = parts[3].bytes
        else { return nil }
        self.init(channel: channel, payload: payload)
    }
}
