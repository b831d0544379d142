import Foundation
import JobModel
import Mailbox
import Redis

/// Ends one chord that is claimed: gathers its parts, and sends its body or writes its failure.
struct ChordFinisher: Sendable {
    /// What became of it.
    enum End: Sendable {
        /// It is over; these chords had it as their last part and are ours to end now.
        case ended([ChordClaim])
        /// Somebody else ends it, or has.
        case lost
        /// Results have yet to come.
        case notYet
    }

    let broker: RedisBroker
    var clock: any Clock<Duration> = ContinuousClock()

    /// Ends the chord of a claim; without patience not one whose results have yet to come, and none
    /// that has failed.
    func finish(
        _ claim: ChordClaim, patiently: Bool
    ) async throws(BrokerError) -> End {
        if patiently { guard try await extend(claim) else { return .lost } }
        let join = ChordJoin(broker: broker, claim: claim)
        var waited = Duration.zero
        var extended = Duration.zero
        while true {
            switch try await join.gathered() {
            case .values(let values): return try await send(values, claim)
            // A little later: Python's `get()` looks at the members first and raises what one of them
            // raised, unless member and body fail between two of its looks.
            case .failed where !patiently: return .notYet
            case .failed(let part, let exception):
                return try await fail(
                    publisher(claim).chordError(
                        of: claim.chord, part: part, exception: exception,
                        at: broker.time.now), claim)
            case .unreadable(let text): return try await fail("Join error: \(text)", claim)
            case .incomplete where !patiently: return .notYet
            case .incomplete: break
            }
            guard waited < broker.options.chords.join else {
                let text = "TimeoutError('The operation timed out.')"
                return try await fail("Join error: \(text)", claim)
            }
            do { try await clock.sleep(for: broker.options.chords.joinPoll) } catch {
                return .notYet
            }
            waited += broker.options.chords.joinPoll
            if waited - extended >= broker.options.chords.claim / 3 {
                guard try await extend(claim) else { return .lost }
                extended = waited
            }
        }
    }

    // MARK: The two ends

    private func send(_ values: [JSONValue], _ claim: ChordClaim) async throws(BrokerError) -> End {
        var aftermath = Aftermath()
        do throws(CanvasError) {
            (aftermath.publication, _) = try publisher(claim).publication(
                of: claim.chord.body, args: [.array(values)])
        } catch {
            return try await fail(callback: error.message, claim)
        }
        switch try await broker.effects(of: aftermath) {
        case .success(let effects): return try await write(effects, claim, isSent: true)
        case .failure(let error): return try await fail(callback: error.description, claim)
        }
    }

    private func fail(callback text: String, _ claim: ChordClaim) async throws(BrokerError) -> End {
        let exception = PythonException.runtimeError.json(text)
        return try await fail("Callback error: \(CanvasPublisher.repr(exception))", claim)
    }

    private func fail(_ text: String, _ claim: ChordClaim) async throws(BrokerError) -> End {
        try await fail(
            publisher(claim).chordError(
                of: claim.chord, text: text, at: broker.time.now), claim)
    }

    private func fail(
        _ aftermath: Aftermath, _ claim: ChordClaim
    ) async throws(BrokerError) -> End {
        var aftermath = aftermath
        if !broker.options.storesResults { aftermath.records = [] }
        let effects: Effects
        switch try await broker.effects(of: aftermath) {
        case .success(let found): effects = found
        case .failure:
            // An error callback is too large: the failure itself is told all the same.
            aftermath.publication = Publication()
            effects = Effects(aftermath, origin: broker.options.origin)
        }
        return try await write(effects, claim, isSent: false)
    }

    private func write(
        _ effects: Effects, _ claim: ChordClaim, isSent: Bool
    ) async throws(BrokerError) -> End {
        // Gathering and staging may have taken as long as the claim lasts.
        if claim.partCount > broker.options.chords.maximumPartsAtOnce || effects.staged != nil {
            guard try await extend(claim) else { return .lost }
        }
        let (keys, chord) = (broker.keys, broker.keys.chord(claim.group))
        var call = RedisScriptCall(
            broker.scripts.finish,
            keys: Effects.keys(keys) + [
                chord.claim, chord.parts, chord.extras, chord.size, chord.counted,
            ], reserving: effects.bytes + 1024)
        call.append(claim.token)
        call.append(claim.group)
        call.append(isSent ? "sent" : "failed")
        call.append(Int(broker.options.chords.over.inSeconds))
        effects.append(to: &call, broker, state: isSent ? nil : .failure)
        guard let answers = try await broker.run(call).array, let word = answers.first?.int else {
            throw BrokerError.unexpected("finish")
        }
        switch word {
        case 1:
            broker.remember(effects.records)
            if let staged = effects.staged { broker.unfinished.withLock { $0.add([], [staged]) } }
            return .ended(effects.claims(answers.dropFirst()))
        case 0: return .lost
        default: return .notYet
        }
    }

    // MARK: The claim

    private func publisher(_ claim: ChordClaim) -> CanvasPublisher {
        CanvasPublisher(
            rules: broker.options.canvas, rootID: claim.chord.rootID,
            parentID: claim.chord.parentID, now: broker.time.now)
    }

    /// Lets the claim last for longer; false when it is another's by now.
    private func extend(_ claim: ChordClaim) async throws(BrokerError) -> Bool {
        let chord = broker.keys.chord(claim.group)
        var call = RedisScriptCall(
            broker.scripts.extend, keys: [broker.keys.openChords, chord.claim, chord.size])
        call.append(claim.group)
        call.append(claim.token)
        call.append(Int(broker.options.chords.claim.inSeconds))
        return try await broker.run(call).int == 1
    }
}
