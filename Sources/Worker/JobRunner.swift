import Broker
import JobModel
import Logging

/// Takes a delivery to its outcome.
///
/// Never throws, and never crashes on what it is given.
struct JobRunner: Sendable {
    let registry: JobRegistry
    /// What is known of the jobs that workflows send.
    let rules: CanvasRules
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

    /// Decode → look whether it may run → look up → run within its limits → one outcome.
    func run(_ delivery: Delivery) async -> Conclusion {
        let message: JobMessage
        do {
            message = try JobMessage(decoding: delivery.raw, limits: options.limits)
        } catch {
            let outcome = classifier.outcome(ofUnreadable: error)
            return Conclusion(
                delivery: delivery, message: nil, salvaged: error, outcome: outcome)
        }
        events.received(message)
        if let early = outcomeBeforeRunning(message) {
            return Conclusion(delivery: delivery, message: message, outcome: early)
        }
        guard let job = registry[message.name] else {
            let outcome = classifier.outcome(ofUnknown: message.name)
            return Conclusion(delivery: delivery, message: message, outcome: outcome)
        }
        if let slot = tuning.admit(job.name, job.policy, at: time.now) {
            return Conclusion(
                delivery: delivery, message: message, outcome: .snooze(until: slot))
        }
        guard message.isRedelivered else { return await run(job, message, from: delivery) }
        return await runAgain(job, message, from: delivery)
    }

    private func outcomeBeforeRunning(_ message: JobMessage) -> Outcome? {
        // Under a lease that may have run out somebody else may have begun: it is put back, or
        // found lost.
        guard lease.isCurrent else { return .released }
        if cancellations.contains(message) { return .cancelled(whileRunning: false) }
        guard message.eta != nil || message.expires != nil else { return nil }
        let now = time.now
        if let expires = message.expires, expires <= now { return .expired }
        if let eta = message.eta, eta > now { return .snooze(until: eta) }
        return nil
    }

    /// A message that was put back before: it may have taken effect, and it may be a killer.
    private func runAgain(
        _ job: RegisteredJob, _ message: JobMessage, from delivery: Delivery
    ) async -> Conclusion {
        if let known = await effect(of: message, delivery) {
            return Conclusion(
                delivery: delivery, message: message, outcome: known,
                storesResult: message.ignoreResult.map { !$0 } ?? job.policy.storesResult)
        }
        if let stored = await storedSuccess(of: message) {
            return Conclusion(
                delivery: delivery, message: message, outcome: .repeated(result: stored.result),
                stored: stored,
                storesResult: message.ignoreResult.map { !$0 } ?? job.policy.storesResult)
        }
        guard !message.deaths.isEmpty else { return await run(job, message, from: delivery) }
        let conclusion = await suspects.run(delivery, deaths: message.deaths.count) {
            await run(job, message, from: delivery)
        }
        return conclusion
            ?? Conclusion(delivery: delivery, message: message, outcome: .released)
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
        _ job: RegisteredJob, _ message: JobMessage, from delivery: Delivery
    ) async -> Conclusion {
        let body: MessageBody
        do {
            body = try message.body(limits: options.limits)
        } catch {
            let outcome = classifier.outcome(ofUnreadable: error)
            return Conclusion(delivery: delivery, message: message, outcome: outcome)
        }
        let task: CanvasTask?
        do {
            task = try CanvasTask(message, body)
        } catch {
            let outcome = classifier.outcome(ofMalformedCanvas: error)
            return Conclusion(delivery: delivery, message: message, outcome: outcome)
        }
        let scope = JobScope(message, body, task: task, rules: rules, time: time) {
            [states] state, meta in
            try await states.report(state, meta, of: message, body)
        }
        let context = JobContext(
            scope, from: delivery, maximumAttempts: job.policy.retry.maximumRetries + 1,
            logger: logger, time: time)
        await states.started(message, body, job)
        let limits = RunLimits(
            message: message, policy: job.policy, set: tuning.limits(of: job.name),
            margin: options.hardLimitMargin)
        let run = runs.begin(delivery, message, limits: limits)
        events.started(message)
        // Told of between the first look and the beginning.
        if cancellations.isToEnd(message.id) { runs.cancel([message.id]) }
        let end = await run.run { try await job.run(body, in: context) }
        let elapsed = runs.end(delivery)
        let outcome = classifier.outcome(
            of: end, cut: run.cut, limits: limits, retries: message.retries,
            policy: job.policy.retry)
        return Conclusion(
            delivery: delivery, message: message, outcome: outcome, scope: scope,
            storesResult: message.ignoreResult.map { !$0 } ?? job.policy.storesResult,
            elapsed: elapsed, isSlotLost: end.isAbandoned)
    }
}

extension BodyRun.End {
    fileprivate var isAbandoned: Bool { if case .abandoned = self { true } else { false } }
}
