import JobModel
import Redis

/// Which chords are open; nothing here changes anything.
extension RedisBroker {
    /// Keys looked at in one step, and chords asked about in one write.
    private static let keysEachStep = 1000
    private static let chordsEachWrite = 100

    /// The chords that have not ended, of all publishers, those with the oldest last part first.
    ///
    /// Looks at `limit` keys of the database at most.
    package func openChords(lookingAt limit: Int) async throws(BrokerError) -> OpenChords {
        var groups: Set<String> = []
        var found = OpenChords()
        let watched = try await send(RedisCommand("ZRANGE", keys.openChords, 0, limit - 1))
        groups.formUnion((watched.array ?? []).compactMap(\.string))
        var cursor = "0"
        var looked = 0
        repeat {
            let page = try await send(
                RedisCommand(
                    "SCAN", cursor, "MATCH", ChordKeys.sizePattern, "COUNT", Self.keysEachStep))
            guard let parts = page.array, parts.count == 2, let next = parts[0].string else {
                throw BrokerError.unexpected("SCAN")
            }
            groups.formUnion(
                (parts[1].array ?? []).compactMap { $0.string.flatMap(ChordKeys.group(ofSize:)) })
            cursor = next
            looked += Self.keysEachStep
        } while cursor != "0" && looked < limit
        found.isCut = cursor != "0"
        let all = groups.sorted()
        for start in stride(from: 0, to: all.count, by: Self.chordsEachWrite) {
            let some = all[start..<min(start + Self.chordsEachWrite, all.count)]
            found.chords += try await chords(Array(some)).compactMap(\.self)
        }
        found.chords.sort { ($1.idle ?? .zero, $0.group) < ($0.idle ?? .zero, $1.group) }
        return found
    }

    /// One chord; nil when nothing of it is there, or only that it is over.
    package func openChord(_ group: String) async throws(BrokerError) -> OpenChord? {
        try await chords([group])[0]
    }

    private func chords(_ groups: [String]) async throws(BrokerError) -> [OpenChord?] {
        let asked = groups.map { ($0, keys.chord($0)) }
        let types = try await pipeline(asked.map { RedisCommand("TYPE", $0.1.parts) })
        let commands = zip(asked, types).flatMap { (named, type) -> [RedisCommand] in
            let (group, chord) = named
            return [
                RedisCommand("GET", chord.size), RedisCommand("GET", chord.extras),
                RedisCommand(type.string == "list" ? "LLEN" : "ZCARD", chord.parts),
                RedisCommand("GET", chord.claim), RedisCommand("TTL", chord.size),
                RedisCommand("OBJECT", "IDLETIME", chord.counted),
                RedisCommand("ZSCORE", keys.openChords, group),
            ]
        }
        let width = 7
        let replies = try await pipeline(commands)
        return groups.enumerated().map { number, group in
            let answers = replies[(number * width)..<((number + 1) * width)].map(\.self)
            let claim = answers[3].string
            var chord = OpenChord(group: group)
            chord.size = answers[0].int
            chord.extra = answers[1].int ?? 0
            chord.parts = answers[2].int ?? 0
            guard claim != ChordClaim.over, chord.size != nil || chord.parts > 0 else {
                return nil
            }
            chord.claimant = claim.map(ChordClaim.claimant(of:))
            if let seconds = answers[4].int, seconds >= 0 { chord.expiresIn = .seconds(seconds) }
            chord.idle = answers[5].int.map { .seconds($0) }
            chord.isWatched = answers[6].string != nil
            return chord
        }
    }

    /// Chords that any worker would have ended by now, if one ran: how many.
    package func overdueChords(by grace: Duration) async throws(BrokerError) -> Int {
        let latest = try await serverMilliseconds() - grace.inMilliseconds
        return try await send(RedisCommand("ZCOUNT", keys.openChords, "-inf", latest)).int ?? 0
    }

    /// How many open chords a worker of ours has brought a part to.
    package func watchedChords() async throws(BrokerError) -> Int {
        try await send(RedisCommand("ZCARD", keys.openChords)).int ?? 0
    }
}
