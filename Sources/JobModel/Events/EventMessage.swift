/// Who tells of events: one process, under the name that Celery's tools call it by.
package struct EventNode: Sendable, Equatable {
    /// The node name, such as `celery@web01`.
    package let name: String
    package let processID: Int32

    package init(name: String, processID: Int32) {
        self.name = name
        self.processID = processID
    }
}

/// A message to whoever listens for events: one event of a worker, or a list of those of jobs.
///
/// Like every message of kombu's but that nobody acknowledges it: it is published, not queued.
package struct EventMessage: Sendable, Equatable {
    /// The exchange, which names the channel.
    package static let exchange = "celeryev"
    /// Under what key lists of events are published.
    package static let listKey = "task.multi"

    /// By what receivers choose, such as `worker.heartbeat`.
    package let routingKey: String
    /// How many events it holds.
    package let count: Int
    /// The name of the node that sends it.
    package let nodeName: String
    /// JSON.
    package let body: [UInt8]

    /// The envelope.
    ///
    /// - Parameter deliveryTag: unique per message; kombu expects one.
    /// - Returns: JSON in ASCII.
    package func encoded(deliveryTag: String) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(body.count * 4 / 3 + 512)
        text.append(contentsOf: "{\"body\": \"".utf8)
        Base64.append(body.span, to: &text)
        text.append(contentsOf: "\", \"content-encoding\": \"utf-8\", ".utf8)
        text.append(contentsOf: "\"content-type\": \"application/json\", ".utf8)
        text.append(contentsOf: "\"headers\": {\"hostname\": ".utf8)
        text.append(jsonString: nodeName)
        text.append(contentsOf: "}, \"properties\": {\"delivery_mode\": 1, ".utf8)
        text.append(contentsOf: "\"delivery_info\": {\"exchange\": \"\(Self.exchange)\", ".utf8)
        text.append(contentsOf: "\"routing_key\": ".utf8)
        text.append(jsonString: routingKey)
        text.append(contentsOf: "}, \"priority\": 0, \"body_encoding\": \"base64\", ".utf8)
        text.append(contentsOf: "\"delivery_tag\": ".utf8)
        text.append(jsonString: deliveryTag)
        text.append(contentsOf: "}}".utf8)
        return text
    }

    /// The messages that tell of `records`, in their order; at most `limit` jobs' events in each.
    package static func telling(
        _ records: [EventRecord], of node: EventNode, upTo limit: Int
    ) -> [EventMessage] {
        var messages: [EventMessage] = []
        var list: [UInt8] = []
        var count = 0
        func closeList() {
            guard count > 0 else { return }
            list.append(UInt8(ascii: "]"))
            messages.append(
                EventMessage(routingKey: listKey, count: count, nodeName: node.name, body: list))
            list = []
            count = 0
        }
        for record in records {
            guard record.isAboutTask else {
                closeList()
                var body: [UInt8] = []
                record.append(to: &body, from: node)
                messages.append(
                    EventMessage(
                        routingKey: record.type.replacing("-", with: "."),
                        count: 1, nodeName: node.name, body: body))
                continue
            }
            list.append(contentsOf: (count == 0 ? "[" : ", ").utf8)
            record.append(to: &list, from: node)
            count += 1
            if count == limit { closeList() }
        }
        closeList()
        return messages
    }
}
