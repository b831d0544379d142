import NIOCore

// One timer serves all requests: it is set to the earliest deadline seen, and when it fires, to the
// earliest one left. With equal timeouts it fires about once per timeout, however many commands.
extension ConnectionCore {
    /// Makes sure that the timer fires at `deadline` or before.
    func watch(_ deadline: NIODeadline) {
        if let current = deadlineTimer {
            guard deadline < current.at else { return }
            current.timer.cancel()
        }
        let timer = loop.scheduleTask(deadline: deadline) { self.deadlineReached() }
        deadlineTimer = (deadline, timer)
    }

    private func deadlineReached() {
        deadlineTimer = nil
        let now = loop.now
        expireWaiting(now: now)
        if inFlight.contains(where: { $0.deadline <= now }) { expireInFlight(now: now) }
        for queue in [waiting, inFlight] {
            if let earliest = queue.lazy.map(\.deadline).min() { watch(earliest) }
        }
    }

    /// A request that was never sent hurts nobody else.
    private func expireWaiting(now: NIODeadline) {
        guard waiting.contains(where: { $0.deadline <= now }) else { return }
        let reason = lastFailure.map { ": \($0.message)" } ?? ""
        let error = RedisError(
            .connect, "there was no connection in the command's time\(reason)",
            serverCode: lastFailure?.serverCode)
        var kept = CircularBuffer<PendingRequest>()
        while let request = waiting.popFirst() {
            if request.deadline <= now {
                release(request)
                request.fail(error)
            } else {
                kept.append(request)
            }
        }
        waiting = kept
    }

    /// A reply that may still come would answer the wrong request, so the channel is given up.
    private func expireInFlight(now: NIODeadline) {
        let late = RedisError(
            .timeout, "no reply in time; the command may have been executed",
            mayHaveBeenExecuted: true)
        if case .handshaking = state { return lose(late) }
        for request in inFlight where request.deadline <= now { request.fail(late) }
        lose(
            RedisError(
                .connectionLost,
                "an earlier reply did not come in time; the command may have been executed",
                mayHaveBeenExecuted: true))
    }
}

extension TimeAmount {
    /// The same span; what is too long becomes about a hundred years, so that a deadline can still
    /// be computed from it.
    init(bounded duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let longest = Int64.max / 3
        self =
            overflow
            ? .nanoseconds(longest)
            : .nanoseconds(min(longest, nanoseconds &+ attoseconds / 1_000_000_000))
    }
}
