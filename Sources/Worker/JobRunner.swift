import Broker
import JobModel
import Logging

/// Takes a delivery to its outcome.
///
/// Never throws, and never crashes on what it is given.
struct JobRunner: Sendable {
    let kinds: JobKinds
    let site: JobSite
    let options: WorkerOptions
    let runs: ActiveRuns
    let cancellations: CancellationWatch
    let tuning: JobTuning
    let suspects: SuspectLane
    let lease: LeaseKeeper
    /// Where effects are recorded, if anywhere.
    let effects: (any EffectLedger)?
    let states: StateReporter
    let classifier: OutcomeClassifier
    let events: TaskEvents
    let time: any TimeSource
    let logger: Logger

    /// How a delivery came out of a stint.
    enum End {
        case concluded(Conclusion)
        /// Its body was asked to end, and did: the stint is over.
        case cut(Conclusion, SuspectLane.Pass?)
        /// Its body was given up: another tells its end.
        case abandoned
    }

    /// Decode → look whether it may run → look up → run within its limits → one outcome.
    func run(_ delivery: Delivery, in stint: Stint) async -> End {
        let message: JobMessage
        do {
            message = try JobMessage(decoding: delivery.raw, limits: options.limits)
        } catch {
            let outcome = classifier.outcome(ofUnreadable: error)
            return .concluded(
                Conclusion(delivery: delivery, message: nil, salvaged: error, outcome: outcome))
        }
        events.received(message)
        let now = ContinuousClock.now
        if let early = outcomeBeforeRunning(message, at: now) {
            return .concluded(Conclusion(delivery: delivery, message: message, outcome: early))
        }
        guard let kind = kinds[message.name] else {
            let outcome = classifier.outcome(ofUnknown: message.name)
            return .concluded(Conclusion(delivery: delivery, message: message, outcome: outcome))
        }
        if let slot = tuning.admit(kind.job.name, kind.job.policy, at: time.now) {
            return .concluded(
                Conclusion(delivery: delivery, message: message, outcome: .snooze(until: slot)))
        }
        guard message.isRedelivered else {
            return await run(kind, message, from: delivery, in: stint, with: nil)
        }
        return await runAgain(kind, message, from: delivery, in: stint)
    }

    /// The end of a run that was given up, for `cut`.
    func conclusion(ofAbandoned run: ActiveRun, cut: Stint.Cut?) -> Conclusion {
        conclusion(
            of: .abandoned, run.scope, run.kind, run.limits, cut: cut,
            elapsed: ContinuousClock.now - run.startedAt)
    }

    private func outcomeBeforeRunning(
        _ message: JobMessage, at now: ContinuousClock.Instant
    ) -> Outcome? {
        // Under a lease that may have run out somebody else may have begun: it is put back, or
        // found lost.
        guard lease.isCurrent(at: now) else { return .released }
        if cancellations.contains(message) { return .cancelled(whileRunning: false) }
        guard message.eta != nil || message.expires != nil else { return nil }
        let time = time.now
        if let expires = message.expires, expires <= time { return .expired }
        if let eta = message.eta, eta > time { return .snooze(until: eta) }
        return nil
    }

    /// A message that was put back before: it may have taken effect, and it may be a killer.
    private func runAgain(
        _ kind: JobKind, _ message: JobMessage, from delivery: Delivery, in stint: Stint
    ) async -> End {
        let storesResult = stores(message, kind)
        if let known = await effect(of: message, delivery) {
            return .concluded(
                Conclusion(
                    delivery: delivery, message: message, outcome: known,
                    storesResult: storesResult))
        }
        if let stored = await storedSuccess(of: message) {
            return .concluded(
                Conclusion(
                    delivery: delivery, message: message,
                    outcome: .repeated(result: stored.result), stored: stored,
                    storesResult: storesResult))
        }
        guard !message.deaths.isEmpty else {
            return await run(kind, message, from: delivery, in: stint, with: nil)
        }
        guard let pass = await suspects.pass(for: delivery, deaths: message.deaths.count) else {
            return .concluded(
                Conclusion(delivery: delivery, message: message, outcome: .released))
        }
        let end = await run(kind, message, from: delivery, in: stint, with: pass)
        // Of one that was cut off, the lane does it.
        if case .concluded = end { await pass.giveBack() }
        return end
    }

    private func stores(_ message: JobMessage, _ kind: JobKind) -> Bool {
        message.ignoreResult.map { !$0 } ?? kind.job.policy.storesResult
    }

    /// The result, when a worker has stored it and died before it could settle the message.
    private func storedSuccess(of message: JobMessage) async -> StoredSuccess? {
        guard options.storesResults else { return nil }
        return try? await states.broker.success(of: message.id)
    }

    /// What the record of effects says; nil when it says nothing, or cannot be asked: the body's own
    /// transaction will ask again.
    private func effect(of message: JobMessage, _ delivery: Delivery) async -> Outcome? {
        guard let effects else { return nil }
        do {
            switch try await effects.admit(delivery.lease.fence, of: message.id) {
            case .open: return nil
            case .tookEffect(let result): return .repeated(result: result)
            case .fenced: return classifier.outcomeOfLostLease
            }
        } catch {
            logger.debug(
                "the record of effects cannot be read",
                metadata: [LogKey.jobID: "\(message.id)", LogKey.errorMessage: "\(error)"])
            return nil
        }
    }

    private func run(
        _ kind: JobKind, _ message: JobMessage, from delivery: Delivery, in stint: Stint,
        with pass: SuspectLane.Pass?
    ) async -> End {
        let body: MessageBody
        do {
            body = try message.body(limits: options.limits)
        } catch {
            let outcome = classifier.outcome(ofUnreadable: error)
            return .concluded(Conclusion(delivery: delivery, message: message, outcome: outcome))
        }
        let task: CanvasTask?
        do {
            task = try CanvasTask(message, body)
        } catch {
            let outcome = classifier.outcome(ofMalformedCanvas: error)
            return .concluded(Conclusion(delivery: delivery, message: message, outcome: outcome))
        }
        let job = kind.job
        let scope = JobScope(
            message, body, task: task, from: delivery,
            maximumAttempts: job.policy.retry.maximumRetries + 1, on: site)
        if states.tellsOfStart(message, job) { await states.started(message, body) }
        let limits = kind.limits(of: message, set: tuning.limits(of: job.name))
        kind.countRun()
        stint.begin(scope, kind, limits, pass)
        events.started(message)
        // Told of between the first look and the beginning.
        if cancellations.isToEnd(message.id) { runs.cancel([message.id]) }
        let end: BodyEnd
        do {
            end = .returned(try await job.run(body, in: JobContext(scope)))
        } catch {
            end = .threw(error)
        }
        guard let (elapsed, cut) = stint.end() else { return .abandoned }
        let conclusion = conclusion(of: end, scope, kind, limits, cut: cut, elapsed: elapsed)
        return cut == nil ? .concluded(conclusion) : .cut(conclusion, pass)
    }

    private func conclusion(
        of end: BodyEnd, _ scope: JobScope, _ kind: JobKind, _ limits: RunLimits, cut: Stint.Cut?,
        elapsed: Duration
    ) -> Conclusion {
        let outcome = classifier.outcome(
            of: end, cut: cut, limits: limits, retries: scope.message.retries,
            policy: kind.job.policy.retry)
        return Conclusion(
            delivery: scope.delivery, message: scope.message, outcome: outcome, scope: scope,
            storesResult: stores(scope.message, kind), elapsed: elapsed)
    }
}
