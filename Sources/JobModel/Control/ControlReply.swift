/// A worker's answer to a command, as kombu's pidbox carries it.
package struct ControlReply: Sendable, Equatable {
    package let address: ControlRequest.ReplyAddress
    package let ticket: String?
    /// Who answers.
    package let node: String
    package let content: JSONValue
    /// The logical clock.
    package let clock: Int

    package init(
        _ content: JSONValue, by node: String, to address: ControlRequest.ReplyAddress,
        ticket: String?, clock: Int
    ) {
        self.address = address
        self.ticket = ticket
        self.node = node
        self.content = content
        self.clock = clock
    }

    /// The envelope; `deliveryTag` is kombu's unique name for it.
    package func encoded(deliveryTag: String) -> [UInt8] {
        let body = JSONValue.object([node: content]).encoded(.python)
        let envelope: JSONValue = [
            "body": .string(Base64.encoded(body)), "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": [
                "ticket": ticket.map(JSONValue.string) ?? .null,
                "clock": .number(JSONNumber(clock)),
            ],
            "properties": [
                "delivery_mode": 1,
                "delivery_info": [
                    "exchange": .string(address.exchange),
                    "routing_key": .string(address.routingKey),
                ],
                "priority": 0, "body_encoding": "base64", "delivery_tag": .string(deliveryTag),
            ],
        ]
        return envelope.encoded(.python)
    }
}
