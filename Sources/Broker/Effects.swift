import Foundation
import JobModel
import Redis

/// A message that is more than may be sent.
struct OversizedMessage: Error, CustomStringConvertible {
    let id: JobID
    let bytes: Int
    let limit: Int

    var description: String {
        "job \(id) is \(bytes) bytes; at most \(limit) are sent"
    }

    var brokerError: BrokerError { BrokerError(code: .limit, message: description) }
}

/// A message as it is written: where to, and when.
struct EncodedMessage: Sendable {
    let list: String
    /// In ms; 0 is now.
    let due: Int64
    let bytes: [UInt8]
    /// The id of the job; nil when `unique` holds it already.
    private let id: String?
    private let unique: String

    /// Names it among the delayed: the job's id, a slash, and something that no other message has.
    var member: String { id.map { "\($0)/\(unique)" } ?? unique }

    init(
        _ message: OutgoingMessage, broker: RedisBroker, now: Date
    ) throws(OversizedMessage) {
        var tags = FreshUUIDs()
        try self.init(message, broker: broker, now: now, tags: &tags)
    }

    /// One of many.
    init(
        _ message: OutgoingMessage, broker: RedisBroker, now: Date, tags: inout FreshUUIDs
    ) throws(OversizedMessage) {
        unique = tags.next()
        id = message.id.text
        bytes = message.encoded(origin: broker.options.origin, deliveryTag: unique)
        guard bytes.count <= broker.options.maximumMessageBytes else {
            throw OversizedMessage(
                id: message.id, bytes: bytes.count, limit: broker.options.maximumMessageBytes)
        }
        list = broker.keys.list(of: message.queue, step: message.priority.step)
        due = message.eta.flatMap { $0 > now ? $0.milliseconds : nil } ?? 0
    }

    /// A delivery that goes round again.
    init(again bytes: [UInt8], at date: Date?, list: String, tag: String) {
        self.bytes = bytes
        self.list = list
        id = nil
        unique = Self.member(again: bytes, tag: tag)
        due = date?.milliseconds ?? 0
    }

    /// The name of a delivery among the delayed; by its tag alone when its id cannot be read.
    static func member(again bytes: [UInt8], tag: String) -> String {
        let message = try? JobMessage(decoding: bytes, limits: WireLimits())
        return "\(message?.id.text ?? tag)/\(tag)"
    }

    /// As `unstage.lua` reads it.
    var staged: [UInt8] { StagedItem.encoded(self) }
}

/// An element of a list of staged messages: three lines, and the message.
enum StagedItem {
    /// A member that an id made longer than a line is cut to one.
    static func encoded(_ message: EncodedMessage) -> [UInt8] {
        let member = message.member.filter { !$0.isNewline }
        return Array("\(message.due)\n\(message.list)\n\(member)\n".utf8) + message.bytes
    }

    /// The message in an element.
    static func message(in item: [UInt8]) -> [UInt8] {
        let parts = item.split(
            separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
        return Array(parts.last ?? [])
    }
}

/// What follows from the end of a job, encoded: the arguments that `effects.lua` reads.
struct Effects: Sendable {
    /// Without its messages.
    var publication = Publication()
    var messages: [EncodedMessage] = []
    /// The list of those that were staged beforehand.
    var staged: String?
    var records: [ResultRecord] = []
    var parts: [ChordPart] = []
    var endedTick: EndedTick?
    /// One for each part: names whoever ends its chord, if that is to be done.
    private(set) var tokens: [String] = []

    /// What can always be told of an end, if what follows from it cannot.
    init(only endedTick: EndedTick? = nil) { self.endedTick = endedTick }

    /// All but the messages; `origin` names who ends the chords that get their last part.
    init(_ aftermath: Aftermath, origin: String) {
        publication = aftermath.publication
        publication.messages = []
        records = aftermath.records
        parts = aftermath.parts
        endedTick = aftermath.endedTick
        tokens = parts.map { _ in ChordClaim.token(of: origin) }
    }

    /// About how large the call becomes.
    var bytes: Int { messages.reduce(0) { $0 + $1.bytes.count } }

    /// The keys that stand first in every script with effects.
    static func keys(_ keys: RedisKeys) -> [String] {
        [
            keys.delayed, keys.delayedMessages, keys.staging, keys.openChords,
            keys.openChordEntries,
        ]
    }

    /// Adds the arguments; records are kept as long as those of jobs that ended in `state`.
    func append(
        to call: inout RedisScriptCall, _ broker: RedisBroker,
        state: ResultRecord.State? = nil
    ) {
        let (options, keys) = (broker.options, broker.keys)
        call.append(options.secondsKept(state))
        call.append(options.chords.keptSeconds(results: options.resultExpires))
        call.append(Int(options.chords.claim.inSeconds))
        call.append(Int(options.chords.look.inMilliseconds))
        call.append(options.chords.maximumOpen)
        call.append(staged ?? "")
        for count in [
            publication.savedGroups.count, publication.chordSizes.count,
            publication.extraParts.count, messages.count, records.count, parts.count,
            endedTick == nil ? 0 : 1,
        ] { call.append(count) }
        for saved in publication.savedGroups {
            call.append(keys.chord(saved.group).saved)
            call.append(saved.record.encoded(.python))
        }
        for size in publication.chordSizes {
            call.append(keys.chord(size.group).claim)
            call.append(keys.chord(size.group).size)
            call.append(size.size)
        }
        for group in publication.extraParts { call.append(keys.chord(group).extras) }
        for message in messages {
            call.append(message.list)
            call.append(message.due)
            call.append(message.member)
            call.append(message.bytes)
        }
        for record in records {
            call.append(keys.result(of: record.id))
            call.append(record.encoded())
        }
        for (part, token) in zip(parts, tokens) { append(part, token, to: &call, keys) }
        if let endedTick { append(endedTick, to: &call, broker) }
    }

    private func append(
        _ end: EndedTick, to call: inout RedisScriptCall, _ broker: RedisBroker
    ) {
        for key in RedisBroker.bookKeys(broker.keys) { call.append(key) }
        call.append(broker.options.maximumTickLog)
        call.append(broker.time.now.milliseconds)
        call.append(end.tick.entry)
        call.append(end.tick.dueAt.nearestMillisecond)
        call.append(end.job.text)
        call.append(end.state.name)
    }

    private func append(
        _ part: ChordPart, _ token: String, to call: inout RedisScriptCall, _ keys: RedisKeys
    ) {
        let chord = keys.chord(part.group)
        call.append(part.group)
        call.append(chord.parts)
        call.append(chord.extras)
        call.append(chord.size)
        call.append(chord.counted)
        call.append(chord.saved)
        call.append(chord.claim)
        call.append("\(part.id.text):\(part.score)")
        call.append(part.score)
        call.append(part.encoded())
        call.append(token)
        call.append(part.chord.encoded())
        call.append(part.isOnlyFirstFailure ? keys.result(of: part.id) : "")
    }

    /// The chords that are ours to end, by what the script answered for each part.
    func claims(_ answers: ArraySlice<RedisValue>) -> [ChordClaim] {
        zip(zip(parts, tokens), answers).compactMap { named, answer in
            guard let count = answer.int, count > 0 else { return nil }
            return ChordClaim(
                group: named.0.group, token: named.1, chord: named.0.chord, partCount: count)
        }
    }
}
