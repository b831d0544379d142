import Broker
import JobModel

/// A delivery, what could be read of it, and what its run came to.
struct Conclusion: Sendable {
    let delivery: Delivery
    /// nil when the envelope could not be read.
    let message: JobMessage?
    /// What is known of an unreadable message.
    let salvaged: MessageError?
    let outcome: Outcome
    /// The run, when there was one.
    let scope: JobScope?
    /// The record of an earlier run that succeeded, found instead of running.
    let stored: StoredSuccess?
    /// Whether somebody may wait for the result.
    let storesResult: Bool
    /// How long the body ran.
    let elapsed: Duration
    /// Whether its body was given up and still occupies its lane.
    let isSlotLost: Bool

    init(
        delivery: Delivery, message: JobMessage?, salvaged: MessageError? = nil,
        outcome: Outcome, scope: JobScope? = nil, stored: StoredSuccess? = nil,
        storesResult: Bool = true,
        elapsed: Duration = .zero,
        isSlotLost: Bool = false
    ) {
        self.delivery = delivery
        self.message = message
        self.salvaged = salvaged
        self.outcome = outcome
        self.scope = scope
        self.stored = stored
        self.storesResult = storesResult
        self.elapsed = elapsed
        self.isSlotLost = isSlotLost
    }

    var id: JobID? { message?.id ?? salvaged?.id.map { JobID($0) } }
    var name: JobName? { message?.name ?? salvaged?.name.map { JobName($0) } }
}
