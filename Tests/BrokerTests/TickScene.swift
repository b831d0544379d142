import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

/// One schedule entry with a tick each minute, on a private Redis.
struct TickScene {
    static let entry = "sweep"
    /// When the entry began; its ticks are numbered from here.
    ///
    /// About now, as the broker's own time is when an end lets a waiting tick begin.
    static let start = Date(
        timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))

    let fixture: BrokerFixture
    var broker: RedisBroker { fixture.broker }

    init(_ change: (inout BrokerOptions) -> Void = { _ in }) async throws {
        fixture = try await BrokerFixture(change)
        try await broker.begin([Self.entry: Self.start])
    }

    func due(_ number: Int) -> Date { Self.start.addingTimeInterval(60 * Double(number)) }

    /// The message of a tick, as a scheduler makes it; its id is `t<number>`.
    func message(_ number: Int, of entry: String = Self.entry) -> OutgoingMessage {
        var message = fixture.message("t\(number)")
        message.headers = TickOrigin(entry: entry, dueAt: due(number)).headers
        return message
    }

    /// Decides that tick `number` follows the one before it, or `previous`.
    @discardableResult
    func enqueue(
        _ number: Int, after previous: Int? = nil, _ overlap: OverlapPolicy = .allow,
        staleAfter: Duration = .seconds(3600), missed: Int = 0, at now: Date? = nil
    ) async throws -> TickOutcome {
        let tick = TickRecord(
            entry: Self.entry, dueAt: due(number), previous: due(previous ?? number - 1),
            missed: missed,
            action: .enqueue(message(number), overlap: overlap, staleAfter: staleAfter))
        return try await broker.record(tick, at: now ?? due(number))
    }

    @discardableResult
    func pass(_ number: Int, after previous: Int? = nil, _ reason: TickPass) async throws
        -> TickOutcome
    {
        let tick = TickRecord(
            entry: Self.entry, dueAt: due(number), previous: due(previous ?? number - 1),
            action: .pass(reason))
        return try await broker.record(tick, at: due(number))
    }

    /// Settles the next message as a worker does that knows of ticks.
    @discardableResult
    func end(
        _ state: JobResult.State = .success, _ transition: Transition = .acknowledge
    ) async throws -> Settlement {
        let delivery = try #require(try await fixture.reserve(1).first)
        return try await end(delivery, state, transition)
    }

    func end(
        _ delivery: Delivery, _ state: JobResult.State = .success,
        _ transition: Transition = .acknowledge
    ) async throws -> Settlement {
        let message = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        let tick = try #require(message.tick)
        let settling = Settling(delivery: delivery, transition: transition)
            .telling(EndedTick(tick, of: message.id, in: state))
        return try await broker.settle([settling])[0]
    }

    /// The ids of what waits for a worker, the next one first.
    func queued() async throws -> [String] {
        let reply = try await fixture.raw.send(RedisCommand("LRANGE", "mail", 0, -1))
        return try (reply.array ?? []).reversed().map {
            try JobMessage(decoding: $0.bytes ?? [], limits: WireLimits()).id.text
        }
    }

    /// The log in words: event, number of the tick, job.
    func log() async throws -> [String] {
        try await broker.log(after: nil, limit: 1000).map { item in
            let number = Int(item.dueAt.timeIntervalSince(Self.start) / 60)
            return "\(item.event) \(number) \(item.job?.text ?? "-")"
        }
    }

    /// A result as a Python worker leaves it.
    func pythonResult(_ number: Int, _ state: String) async throws {
        _ = try await fixture.raw.send(
            RedisCommand(
                "SET", "celery-task-meta-t\(number)",
                "{\"status\": \"\(state)\", \"result\": null, \"task_id\": \"t\(number)\"}"))
    }

    func hash(_ key: String) async throws -> Int? {
        let reply = try await fixture.raw.send(RedisCommand("HLEN", key))
        return reply.int
    }
}
