import Foundation
import JobModel
import Logging
import Mailbox
import Redis

/// Chords to their end: at once by whoever brings the last part, or later by anybody.
extension RedisBroker {
    /// Chords that one process ends side by side.
    private static let endedSideBySide = 16

    package func tendChords(limit: Int) async throws(BrokerError) -> ChordTending {
        try await echoResults()
        try await finishOwn()
        _ = try await unstageAbandoned(limit: limit)
        var tending = ChordTending()
        let now = try await serverMilliseconds()
        let due = try await send(
            RedisCommand("ZRANGEBYSCORE", keys.openChords, "-inf", now, "LIMIT", 0, limit))
        let groups = (due.array ?? []).compactMap(\.string)
        tending.lookedAt = groups.count
        guard !groups.isEmpty else { return tending }
        let claims = try await claimed(groups)
        for claim in claims where try await end(claim, patiently: true) {
            tending.recovered.append(claim.group)
        }
        return tending
    }

    /// Ends what this process claimed and moves what it staged.
    func finishOwn() async throws(BrokerError) {
        var work = unfinished.withLock { $0.take() }
        guard !work.isEmpty else { return }
        do throws(BrokerError) {
            for list in work.staged { try await unstageIfPossible(list) }
            work = UnfinishedWork(claims: work.claims)
            while let claim = work.claims.first {
                _ = try await end(claim, patiently: true)
                work = UnfinishedWork(claims: work.claims.dropFirst())
            }
        } catch {
            unfinished.withLock { [work] in $0.add(work.claims, work.staged) }
            throw error
        }
    }

    /// Ends chords right after their last part, as far as that takes no time; leaves the others, and
    /// those where something goes wrong, to the next round of ``tendChords(limit:)``.
    func endAtOnce(_ claims: [ChordClaim]) async {
        let small = claims.filter { $0.partCount <= options.chords.maximumPartsAtOnce }
        let large = claims.filter { $0.partCount > options.chords.maximumPartsAtOnce }
        unfinished.withLock { $0.add(large) }
        for start in stride(from: 0, to: small.count, by: Self.endedSideBySide) {
            let some = small[start..<min(start + Self.endedSideBySide, small.count)]
            await withTaskGroup(of: Void.self) { group in
                for claim in some { group.addTask { await self.endAtOnce(claim) } }
            }
        }
    }

    private func endAtOnce(_ claim: ChordClaim) async {
        do throws(BrokerError) {
            _ = try await end(claim, patiently: false)
        } catch {
            unfinished.withLock { $0.add([claim]) }
        }
    }

    /// Ends a chord, and those that it was the last part of; whether it was us who ended it.
    ///
    /// Without patience one whose results have yet to come is left for later.
    private func end(_ claim: ChordClaim, patiently: Bool) async throws(BrokerError) -> Bool {
        let finisher = ChordFinisher(broker: self)
        var open = [claim]
        var isFirst = true
        var isEnded = false
        while let next = open.popLast() {
            let end: ChordFinisher.End
            do throws(BrokerError) {
                end = try await finisher.finish(next, patiently: patiently)
            } catch {
                if error.code == .server {
                    // This chord alone: it is looked at again when the claim has run out.
                    logger.error(
                        "Redis refused to end a chord; it is tried again",
                        metadata: [
                            LogKey.groupID: "\(next.group)", LogKey.errorMessage: "\(error)",
                        ])
                    isFirst = false
                    continue
                }
                if isFirst { throw error }
                unfinished.withLock { $0.add([next] + open) }
                return isEnded
            }
            switch end {
            case .ended(let outer):
                if isFirst { isEnded = true }
                open += outer
            case .lost: break
            case .notYet: unfinished.withLock { $0.add([next]) }
            }
            isFirst = false
        }
        return isEnded
    }

    /// Claims those of the chords that are complete and that nobody ends.
    private func claimed(_ groups: [String]) async throws(BrokerError) -> [ChordClaim] {
        let calls = groups.map { group in
            let chord = keys.chord(group)
            let token = ChordClaim.token(of: options.origin)
            var call = RedisScriptCall(
                scripts.claim,
                keys: [
                    keys.openChords, keys.openChordEntries, chord.claim, chord.parts, chord.extras,
                    chord.size,
                ])
            call.append(group)
            call.append(token)
            call.append(Int(options.chords.claim.inSeconds))
            call.append(Int(options.chords.look.inMilliseconds))
            return (group: group, token: token, call: call)
        }
        var claims: [ChordClaim] = []
        for (asked, reply) in zip(calls, try await pipeline(calls.map(\.call))) {
            guard let answer = reply.array, answer.first?.string == "claimed", answer.count == 3,
                let count = answer[2].int
            else {
                if reply.serverError != nil { try await forget(chord: asked.group) }
                continue
            }
            guard let chord = answer[1].bytes.flatMap(PendingChord.init(decoding:)) else {
                try await forget(chord: asked.group)
                continue
            }
            claims.append(
                ChordClaim(
                    group: asked.group, token: asked.token, chord: chord, partCount: count))
        }
        return claims
    }

    /// Gives up a chord whose keys or record are not what they must be: nobody could end it.
    private func forget(chord group: String) async throws(BrokerError) {
        logger.error(
            "the record of a chord cannot be read; it is not watched any more",
            metadata: [LogKey.groupID: "\(group)"])
        _ = try await pipeline([
            RedisCommand("ZREM", keys.openChords, group),
            RedisCommand("HDEL", keys.openChordEntries, group),
        ])
    }
}
