import Broker
import Foundation
import JobModel

/// Commands that show what there is to do: running, held, put off, revoked.
enum WorkCommands {
    /// The most jobs that one answer describes.
    private static let maximumListed = 1000
    /// The most revoked ids in one answer, as Celery remembers at most.
    static let maximumRevoked = 50_000
    /// Celery's word for how urgent an entry of its timer is; always the same.
    private static let timerPriority: JSONValue = 6

    static let all: [ControlCommand] = [
        .inspect("ping") { _, _ in .ok("pong") },
        .inspect("clock") { _, site in
            ["clock": .number(JSONNumber(site.ports.clock.value))]
        },
        .inspect("active") { arguments, site in
            let safe = arguments.flag("safe")
            return list(site.active) { $0.json(in: site, safe: safe) }
        },
        .inspect("reserved") { _, site in list(site.reserved) { $0.json(in: site) } },
        .inspect("scheduled") { _, site in
            list(try await scheduled(at: site)) { message, info in
                [
                    "eta": .string(eta(of: info.message, message.dueAt).pythonText),
                    "priority": timerPriority,
                    "request": info.json(in: site),
                ]
            }
        },
        .inspect("query_task") { arguments, site in
            let value = try arguments.required("ids", "task_ids", "id")
            return try await found(Set(arguments.texts(value)), at: site)
        },
        .inspect("revoked") { _, site in
            .array(
                site.cancellations.revokedIDs(limit: maximumRevoked).map { .string($0.text) })
        },
    ]

    private static func list<Item>(
        _ items: [Item], _ describe: (Item) -> JSONValue
    ) -> JSONValue {
        .array(items.prefix(maximumListed).map(describe))
    }

    /// What waits for its time, of the queues that the worker serves: it waits in Redis, and any worker
    /// of these queues may run it.
    private static func scheduled(
        at site: ControlSite
    ) async throws(BrokerError) -> [(DelayedMessage, TaskInfo)] {
        let queues = Set(site.fetcher.queues.map(\.text))
        return try await site.broker.delayedMessages(limit: maximumListed)
            .filter { queues.contains($0.queue) }
            .compactMap { message in
                (try? JobMessage(decoding: message.raw, limits: site.options.limits)).map {
                    (message, TaskInfo(message: $0, startedAt: nil))
                }
            }
    }

    /// When it is due: to the microsecond, as its sender wrote it, for Redis keeps milliseconds.
    private static func eta(of message: JobMessage, _ due: Date) -> Date {
        guard let eta = message.eta, abs(eta.timeIntervalSince(due)) < 0.002 else { return due }
        return eta
    }

    private static func found(
        _ ids: Set<String>, at site: ControlSite
    ) async throws(BrokerError) -> JSONValue {
        var found = JSONObject()
        func look(_ state: String, _ infos: [TaskInfo]) {
            for info in infos where ids.contains(info.message.id.text) {
                guard found[info.message.id.text] == nil else { continue }
                found[info.message.id.text] = [.string(state), info.json(in: site)]
            }
        }
        look("active", site.active)
        look("reserved", site.reserved)
        if found.count < ids.count { look("scheduled", try await scheduled(at: site).map(\.1)) }
        return .object(found)
    }
}
