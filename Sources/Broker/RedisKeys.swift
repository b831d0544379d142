import Foundation
package import JobModel

/// Every key the system reads or writes, and nowhere else; `docs/redis-keys.md` describes them.
///
/// Those without `backhaul:` belong to Celery's wire protocol and are shared with Python workers.
package struct RedisKeys: Sendable, Equatable {
    /// kombu's `global_keyprefix`: put before every key, unchanged.
    package let prefix: String

    /// Keys under `prefix`, which is empty in most deployments.
    package init(prefix: String = "") { self.prefix = prefix }

    /// kombu's mark between a queue's name and its priority step.
    package static let prioritySeparator = "\u{06}\u{16}"

    // MARK: Shared with Celery

    /// Hash: tag → `[message, exchange, routing key]`.
    package var unacked: String { prefix + "unacked" }
    /// Sorted set: tag → unix seconds when it was reserved or last renewed.
    package var unackedIndex: String { prefix + "unacked_index" }

    /// The list of `queue` for priority step number `step`.
    package func list(of queue: QueueName, step: Int) -> String {
        step == 0
            ? prefix + queue.text
            : "\(prefix)\(queue.text)\(Self.prioritySeparator)\(Priority.steps[step])"
    }

    /// The four lists of `queue`, most urgent first.
    package func lists(of queue: QueueName) -> [String] {
        Priority.steps.indices.map { list(of: queue, step: $0) }
    }

    /// String: the result record that `AsyncResult` reads; also the channel it is published on.
    package func result(of id: JobID) -> String { resultStem + id.text }
    /// What the keys of results begin with.
    var resultStem: String { "celery-task-meta-" }

    /// The keys of one chord, or of one group; the group's id names both.
    package func chord(_ group: String) -> ChordKeys { ChordKeys(group) }

    /// Set: which queues an exchange feeds.
    package func binding(of exchange: String) -> String { prefix + "_kombu.binding.\(exchange)" }
    /// Set: the same, for queues that never expire.
    package func permanentBinding(of exchange: String) -> String {
        prefix + "_kombu.binding_permanent.\(exchange)"
    }

    /// What a worker subscribes to for commands: the channel of kombu's pidbox, as a pattern.
    package func controlPattern(database: Int) -> String {
        pattern("/\(database).\(Self.controlExchange)")
    }
    /// The channel on which commands are broadcast.
    package func controlChannel(database: Int) -> String {
        "\(prefix)/\(database).\(Self.controlExchange)"
    }
    /// kombu's name for the exchange of commands.
    private static let controlExchange = "celery.pidbox"

    /// The list of the queue that `member` of a binding names, if it is bound to that routing key.
    func queueKey(bound member: String, to routingKey: String) -> String? {
        let parts = member.components(separatedBy: Self.prioritySeparator)
        guard parts.count == 3, parts[0] == routingKey, !parts[2].isEmpty else { return nil }
        return prefix + parts[2]
    }

    /// The priority step of a list; nil for what is no list of a queue.
    func step(ofList list: String) -> Int? {
        let parts = list.dropFirst(prefix.count).components(separatedBy: Self.prioritySeparator)
        guard parts.count > 1 else { return 0 }
        return Int(parts[1]).flatMap(Priority.steps.firstIndex)
    }

    /// The queue that a list belongs to.
    func queueName(ofList list: String) -> String {
        list.dropFirst(prefix.count).components(separatedBy: Self.prioritySeparator)[0]
    }

    // MARK: Ours

    /// Sorted set: member → due time in ms.
    package var delayed: String { prefix + "backhaul:delayed" }
    /// Hash: member → list, newline, message.
    package var delayedMessages: String { prefix + "backhaul:delayed:messages" }
    /// String: whose turn it is to promote.
    package var promoterTurn: String { prefix + "backhaul:delayed:turn" }
    /// Sorted set: worker → end of its lease in ms.
    package var workers: String { prefix + "backhaul:workers" }
    /// Hash: worker → when it was first seen without a lease, in ms.
    package var overdue: String { prefix + "backhaul:overdue" }
    /// Hash: worker → what it says of itself (JSON).
    package var presence: String { prefix + "backhaul:presence" }
    /// Hash: schedule entry → due time in ms of its newest tick.
    package var ticks: String { prefix + "backhaul:ticks" }
    /// Hash: schedule entry → due time in ms, ms when it was enqueued, id of its last job, until that
    /// is told to have ended.
    package var runningTicks: String { prefix + "backhaul:ticks:running" }
    /// Hash: schedule entry → the tick that waits for the end of that job, with its message.
    package var waitingTicks: String { prefix + "backhaul:ticks:waiting" }
    /// Stream: what became of ticks.
    package var tickLog: String { prefix + "backhaul:ticks:log" }
    /// Sorted set: id of a job pushed from an outbox → when it may be forgotten, in ms.
    package var outboxPushed: String { prefix + "backhaul:outbox:pushed" }
    /// String: the stored schedule entries as a scheduler last read them (JSON).
    package var knownSchedule: String { prefix + "backhaul:schedule:known" }
    /// String: the greatest fence given so far.
    package var fence: String { prefix + "backhaul:fence" }
    /// Sorted set: id of a job that is to end → time in ms it was asked for.
    package var cancelled: String { prefix + "backhaul:cancelled" }
    /// Sorted set: id of a job that is not to begin → time in ms it was revoked.
    package var revoked: String { prefix + "backhaul:revoked" }
    /// Sorted set: `["name","value"]` of a stamp whose jobs are not to begin → time in ms.
    package var revokedStamps: String { prefix + "backhaul:revoked_stamps" }
    /// Set: tags of messages that a worker began to run although another died holding them.
    package func suspects(of worker: WorkerID) -> String {
        "\(prefix)backhaul:suspects:\(worker.text)"
    }
    /// Hash: counter → value.
    package var counters: String { prefix + "backhaul:counters" }

    /// Sorted set: group of a chord that waits for parts or for its end → when to look again, in ms.
    package var openChords: String { prefix + "backhaul:chords" }
    /// Hash: the same group → what is needed to end the chord (JSON).
    package var openChordEntries: String { prefix + "backhaul:chords:entries" }
    /// Sorted set: list of messages that are to be sent → time in ms it was said.
    package var staging: String { prefix + "backhaul:staging" }
    /// List: messages put aside until one step says that they are to be sent.
    package func staged(_ name: String) -> String { prefix + "backhaul:staged:\(name)" }

    /// List: a message on its way from `list` to `worker`, for less than one command.
    package func inbox(of worker: WorkerID, for list: String) -> String {
        "\(prefix)backhaul:inbox:\(worker.text):\(list.dropFirst(prefix.count))"
    }

    /// Sorted set: entry → time in ms it was buried.
    package func graveOrder(_ grave: Grave) -> String { prefix + "backhaul:\(grave.rawValue)" }
    /// Hash: entry → record (JSON).
    package func graveEntries(_ grave: Grave) -> String {
        prefix + "backhaul:\(grave.rawValue):entries"
    }
}

/// The keys that Celery keeps for one chord; all but ``saved`` go when it ends.
package struct ChordKeys: Sendable, Equatable {
    private static let stem = "celery-taskset-meta-"
    private static let sizeEnding = ".s"

    /// String: the group's tree of results, if it was saved.
    package let saved: String
    /// Sorted set: part → its place; a list where Celery is told not to order them.
    package var parts: String { saved + ".j" }
    /// String: how many parts were added while it ran.
    package var extras: String { saved + ".t" }
    /// String: how many parts it was sent with.
    package var size: String { saved + Self.sizeEnding }
    /// Set: members whose part is there.
    package var counted: String { saved + ".d" }
    /// String: the token of whoever ends it, or `done`.
    package var claim: String { saved + ".c" }

    fileprivate init(_ group: String) { saved = Self.stem + group }

    /// The group of a key that holds a size; nil for another key.
    static func group(ofSize key: String) -> String? {
        guard key.hasPrefix(stem), key.hasSuffix(sizeEnding) else { return nil }
        return String(key.dropFirst(stem.count).dropLast(sizeEnding.count))
    }

    /// The sizes of all chords.
    static let sizePattern = stem + "*" + sizeEnding
}

/// Where messages are kept that will not run again by themselves.
package enum Grave: String, Sendable, CaseIterable {
    /// Ran and failed for good.
    case dead
    /// Cannot be run as it is.
    case quarantine
}

// MARK: For looking around

extension RedisKeys {
    /// What each key must be, of those with one name.
    package var types: [(key: String, type: String)] {
        [
            (unacked, "hash"), (unackedIndex, "zset"), (delayed, "zset"),
            (delayedMessages, "hash"), (promoterTurn, "string"), (workers, "zset"),
            (presence, "hash"), (ticks, "hash"), (runningTicks, "hash"), (waitingTicks, "hash"),
            (tickLog, "stream"), (counters, "hash"), (fence, "string"), (cancelled, "zset"),
            (openChords, "zset"),
            (openChordEntries, "hash"), (staging, "zset"),
            (revoked, "zset"), (revokedStamps, "zset"), (outboxPushed, "zset"),
            (knownSchedule, "string"),
        ] + Grave.allCases.flatMap { [(graveOrder($0), "zset"), (graveEntries($0), "hash")] }
    }

    /// A list that nobody has, to try commands on.
    var probeList: String { prefix + "backhaul:probe" }
    /// A member that no set or hash has.
    static let probeMember = "backhaul:probe"

    /// Which queues exchanges feed; both kinds.
    var bindingPattern: String { pattern("_kombu.binding*") }
    /// Where answers to `celery inspect` and `control` go: a list for each client that ever asked.
    var replyQueuePattern: String { pattern("*" + Self.replyQueueEnding) }
    /// Queues that carry answers and commands, no jobs.
    static let replyQueueEnding = ".reply.celery.pidbox"
    /// Every inbox of every worker.
    var inboxPattern: String { pattern("backhaul:inbox:*") }

    /// The worker and the list of an inbox; nil for another key.
    func inbox(_ key: String) -> (worker: WorkerID, list: String)? {
        let start = prefix + "backhaul:inbox:"
        guard key.hasPrefix(start) else { return nil }
        let parts = key.dropFirst(start.count).split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        return (WorkerID(text: String(parts[0])), prefix + parts[1])
    }

    private func pattern(_ rest: String) -> String {
        Self.escaped(prefix) + rest
    }

    /// A pattern that matches `text` and nothing else.
    static func escaped(_ text: String) -> String {
        text.map { "*?[]\\".contains($0) ? "\\\($0)" : String($0) }.joined()
    }
}

// MARK: Channels

extension RedisKeys {
    /// Channel: where kombu publishes what an exchange of type fanout is sent under `routingKey`.
    ///
    /// The number of the database is part of it, as Redis tells everybody on a server of a channel.
    package func channel(of exchange: String, routingKey: String, database: Int) -> String {
        let key = routingKey.isEmpty ? "" : "/" + routingKey
        return "\(prefix)/\(database).\(exchange)\(key)"
    }

    /// The same as a pattern that nothing else matches.
    func channelPattern(of exchange: String, routingKey: String, database: Int) -> String {
        let channel = channel(of: exchange, routingKey: routingKey, database: database)
        return pattern(String(channel.dropFirst(prefix.count)))
    }
}
