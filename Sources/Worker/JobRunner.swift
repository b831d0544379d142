package import JobModel
package import Logging

/// Takes a delivery to its outcome.
///
/// Never throws, and never crashes on what it is given.
package struct JobRunner: Sendable {
    let registry: JobRegistry
    let classifier: OutcomeClassifier
    let limits: WireLimits
    let time: any TimeSource
    let logger: Logger
    let deadlines = Deadlines()

    package init(
        registry: JobRegistry, limits: WireLimits, time: any TimeSource, logger: Logger
    ) {
        self.registry = registry
        self.limits = limits
        self.time = time
        self.logger = logger
        classifier = OutcomeClassifier(time: time)
    }

    /// Decode → check time → look up → run with a deadline → one outcome.
    func run(_ delivery: Delivery) async -> Conclusion {
        let message: JobMessage
        do {
            message = try JobMessage(decoding: delivery.raw, limits: limits)
        } catch {
            let outcome = classifier.outcome(ofUnreadable: error)
            return Conclusion(
                delivery: delivery, message: nil, salvaged: error, outcome: outcome)
        }
        if let early = outcomeBeforeRunning(message) {
            return Conclusion(delivery: delivery, message: message, outcome: early)
        }
        guard let job = registry[message.name] else {
            let outcome = classifier.outcome(ofUnknown: message.name)
            return Conclusion(delivery: delivery, message: message, outcome: outcome)
        }
        let clock = ContinuousClock()
        let start = clock.now
        let outcome = await run(job, message, from: delivery)
        return Conclusion(
            delivery: delivery, message: message, outcome: outcome,
            storesResult: message.ignoreResult.map { !$0 } ?? job.policy.storesResult,
            elapsed: clock.now - start)
    }

    private func outcomeBeforeRunning(_ message: JobMessage) -> Outcome? {
        guard message.eta != nil || message.expires != nil else { return nil }
        let now = time.now
        if let expires = message.expires, expires <= now { return .expired }
        if let eta = message.eta, eta > now { return .snooze(until: eta) }
        return nil
    }

    private func run(
        _ job: RegisteredJob, _ message: JobMessage, from delivery: Delivery
    ) async -> Outcome {
        let body: MessageBody
        do {
            body = try message.body(limits: limits)
        } catch {
            return classifier.outcome(ofUnreadable: error)
        }
        if let part = body.unsupportedCanvasPart {
            return classifier.outcome(ofUnsupportedCanvas: part)
        }
        let context = JobContext(
            id: message.id, name: message.name, queue: delivery.queue,
            attempt: message.retries + 1,
            maximumAttempts: job.policy.retry.maximumRetries + 1,
            rootID: message.rootID, fence: delivery.lease.fence, logger: logger, time: time)
        let limit = message.softTimeLimit ?? message.hardTimeLimit ?? job.policy.timeLimit
        do {
            let verdict = try await TimeLimit(limit: limit, deadlines: deadlines).run {
                try await job.run(body, in: context)
            }
            return classifier.outcome(of: verdict)
        } catch {
            if Task.isCancelled { return .released }
            return classifier.outcome(
                of: error, retries: message.retries, policy: job.policy.retry)
        }
    }
}

extension MessageBody {
    /// The first canvas part that this worker would have to carry on, and cannot yet.
    fileprivate var unsupportedCanvasPart: String? {
        ["callbacks", "errbacks", "chain", "chord"].first { part in
            switch embed[part] {
            case nil, .null: false
            case .array(let items): !items.isEmpty
            default: true
            }
        }
    }
}
