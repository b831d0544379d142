import JobModel

/// The value kombu keeps in `unacked`: `[message, exchange, routing key]`.
///
/// We write the message's own bytes, an empty exchange and the queue's name, so that whoever restores
/// it finds its queue.
enum InFlightRecord {
    /// The text after the message, when it was in `queue`.
    static func ending(for queue: QueueName) -> String {
        let name = String(decoding: JSONValue.string(queue.text).encoded(), as: UTF8.self)
        return ",\"\",\(name)]"
    }

    /// Takes a record apart; nil for one that was not written this way.
    static func parts(of record: [UInt8]) -> (message: [UInt8], queue: QueueName)? {
        guard record.first == UInt8(ascii: "["),
            let value = try? JSONValue(parsing: record), case .array(let parts) = value,
            parts.count == 3, case .string(let key) = parts[2], let queue = try? QueueName(key)
        else { return salvaged(record) }
        let ending = Array(Self.ending(for: queue).utf8)
        if record.suffix(ending.count).elementsEqual(ending) {
            return (Array(record[1..<(record.count - ending.count)]), queue)
        }
        return (parts[0].encoded(), queue)
    }

    /// A record whose message is no JSON: the ending is still ours.
    private static func salvaged(_ record: [UInt8]) -> (message: [UInt8], queue: QueueName)? {
        let mark = Array(",\"\",\"".utf8)
        guard record.last == UInt8(ascii: "]"), record.count > mark.count + 2 else { return nil }
        var start = record.count - mark.count - 1
        while start > 0, !record[start..<(start + mark.count)].elementsEqual(mark) { start -= 1 }
        guard start > 0 else { return nil }
        let text = record[(start + mark.count - 1)..<(record.count - 1)]
        guard case .string(let name)? = try? JSONValue(parsing: Array(text)),
            let queue = try? QueueName(name)
        else { return nil }
        return (Array(record[1..<start]), queue)
    }
}
