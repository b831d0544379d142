import Foundation
import JobModel
import Redis

extension RedisBroker: TickLog {
    /// How many lines one command removes.
    private static let removalsEachCommand = 1000

    package func log(
        after position: String?, limit: Int
    ) async throws(BrokerError) -> [TickLogItem] {
        var start = position.map { "(\($0)" } ?? "-"
        while limit > 0 {
            let reply = try await send(
                RedisCommand("XRANGE", keys.tickLog, start, "+", "COUNT", limit))
            let lines = reply.array ?? []
            let items = lines.compactMap(TickLogItem.init)
            // Lines that a later version wrote must not hide those behind them.
            guard items.isEmpty, let last = lines.last?.array?.first?.string else { return items }
            start = "(\(last)"
        }
        return []
    }

    package func newestLog(limit: Int) async throws(BrokerError) -> [TickLogItem] {
        guard limit > 0 else { return [] }
        let reply = try await send(
            RedisCommand("XREVRANGE", keys.tickLog, "+", "-", "COUNT", limit))
        return (reply.array ?? []).compactMap(TickLogItem.init)
    }

    package func removeLog(_ positions: [String]) async throws(BrokerError) {
        for start in stride(from: 0, to: positions.count, by: Self.removalsEachCommand) {
            let some = positions[start..<min(start + Self.removalsEachCommand, positions.count)]
            _ = try await send(RedisCommand("XDEL", [keys.tickLog] + some))
        }
    }
}

extension TickLogItem {
    /// Reads a line of the stream: its position, and names and values in turn; `nil` for one that is
    /// not ours.
    init?(_ line: RedisValue) {
        guard let parts = line.array, parts.count == 2, let position = parts[0].string,
            let words = parts[1].array?.map({ $0.string ?? "" }), words.count % 2 == 0
        else { return nil }
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: words.count, by: 2) {
            fields[words[index]] = words[index + 1]
        }
        guard let entry = fields["entry"], let due = fields["due"].flatMap({ Int($0) }),
            let at = fields["at"].flatMap({ Int($0) }),
            let missed = fields["missed"].flatMap({ Int($0) }),
            let event = Event(fields["event"] ?? "", state: fields["state"] ?? "")
        else { return nil }
        let job = fields["job"] ?? ""
        self.init(
            position: position, entry: entry, dueAt: Date(millisecondsSince1970: due),
            at: Date(millisecondsSince1970: at), job: job.isEmpty ? nil : JobID(job), event: event,
            missed: missed)
    }
}

extension TickLogItem.Event {
    fileprivate init?(_ word: String, state: String) {
        switch word {
        case "enqueued": self = .enqueued
        case "waiting": self = .waiting
        case "overlapped": self = .overlapped
        case "triggered": self = .triggered
        case "ended": self = .ended(state)
        default:
            guard let pass = TickPass(rawValue: word) else { return nil }
            self = .passed(pass)
        }
    }
}
