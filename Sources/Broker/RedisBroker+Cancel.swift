package import Foundation
package import JobModel
import Redis

extension RedisBroker {
    /// The most wishes read in one call.
    private static let wishesEachCall = 10_000
    /// The most ids written in one call.
    private static let idsEachCall = 1000

    /// Asks that jobs end, whether they wait, run, or have yet to come; remembered for
    /// `cancellationKept`.
    ///
    /// Returns how many older wishes were dropped to keep within `maximumCancelled`.
    @discardableResult
    package func cancel(_ ids: [JobID]) async throws(BrokerError) -> Int {
        try await record(ids.map { Array($0.text.utf8) }, in: keys.cancelled)
    }

    /// Asks that jobs do not begin, or with `terminating` that they end also when they run;
    /// remembered as above.
    ///
    /// Stores a result for those of `unheard`, unless they have one that says that they ended.
    package func revoke(
        _ ids: [JobID], terminating: Bool, storing unheard: [JobID]
    ) async throws(BrokerError) {
        let members = ids.map { Array($0.text.utf8) }
        try await record(members, in: keys.revoked)
        if terminating { try await record(members, in: keys.cancelled) }
        for start in stride(from: 0, to: unheard.count, by: Self.idsEachCall) {
            let some = unheard[start..<min(start + Self.idsEachCall, unheard.count)]
            var call = RedisScriptCall(scripts.revoked, keys: some.map { keys.result(of: $0) })
            call.append(Int(options.resultExpires.inSeconds))
            for id in some {
                let record = ResultRecord(
                    state: .revoked, id: id, result: PythonException.revoked.json("revoked"),
                    dateDone: time.now)
                call.append(record.encoded())
            }
            _ = try await run(call)
        }
    }

    /// Asks that jobs with one of these stamps do not begin; remembered as above.
    package func revoke(_ stamps: [RevokedStamp]) async throws(BrokerError) {
        try await record(stamps.map(\.record), in: keys.revokedStamps)
    }

    package func revocations(since: Date?) async throws(BrokerError) -> Revocations {
        let sets = [keys.cancelled, keys.revoked, keys.revokedStamps]
        let from = since.map { "\($0.milliseconds)" } ?? "-inf"
        // Asked every second by every worker: one write, as long as little is new.
        let replies = try await pipeline(
            [RedisCommand("TIME")] + sets.map { page($0, from: from, after: 0) })
        for reply in replies { if case .error(let error) = reply { throw BrokerError(error) } }
        guard let seconds = replies[0].array?.first?.int else { throw .unexpected("TIME") }
        var wishes: [[[UInt8]]] = []
        for (key, reply) in zip(sets, replies.dropFirst()) {
            var members = (reply.array ?? []).compactMap(\.bytes)
            var isFull = members.count == Self.wishesEachCall
            while isFull {
                let more = try await send(page(key, from: from, after: members.count))
                let next = (more.array ?? []).compactMap(\.bytes)
                members += next
                isFull = next.count == Self.wishesEachCall
            }
            wishes.append(members)
        }
        var found = Revocations()
        found.ended = wishes[0].map(Self.id)
        found.revoked = wishes[1].map(Self.id)
        found.stamps = wishes[2].compactMap(RevokedStamp.init(record:))
        // A script that began before may write a little later.
        found.next = Date(timeIntervalSince1970: Double(seconds) - 1)
        return found
    }

    private func page(_ key: String, from: String, after offset: Int) -> RedisCommand {
        RedisCommand(
            "ZRANGEBYSCORE", key, from, "+inf", "LIMIT", offset, Self.wishesEachCall)
    }

    private static func id(_ bytes: [UInt8]) -> JobID {
        JobID(String(decoding: bytes, as: UTF8.self))
    }

    @discardableResult
    private func record(_ members: [[UInt8]], in key: String) async throws(BrokerError) -> Int {
        var dropped = 0
        for start in stride(from: 0, to: members.count, by: Self.idsEachCall) {
            var call = RedisScriptCall(scripts.cancel, keys: [key])
            call.append(Int(options.cancellationKept.inSeconds))
            call.append(options.maximumCancelled)
            for member in members[start..<min(start + Self.idsEachCall, members.count)] {
                call.append(member)
            }
            dropped += Int(try await run(call).int ?? 0)
        }
        return dropped
    }
}
