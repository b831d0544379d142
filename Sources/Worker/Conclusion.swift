import Broker
import JobModel

/// A delivery, what could be read of it, and what its run came to.
///
/// A class, because it is large, passed through many hands and never changed.
final class Conclusion: Sendable {
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

    init(
        delivery: Delivery, message: JobMessage?, salvaged: MessageError? = nil,
        outcome: Outcome, scope: JobScope? = nil, stored: StoredSuccess? = nil,
        storesResult: Bool = true,
        elapsed: Duration = .zero
    ) {
        self.delivery = delivery
        self.message = message
        self.salvaged = salvaged
        self.outcome = outcome
        self.scope = scope
        self.stored = stored
        self.storesResult = storesResult
        self.elapsed = elapsed
    }

    var id: JobID? { message?.id ?? salvaged?.id.map { JobID($0) } }
    var name: JobName? { message?.name ?? salvaged?.name.map { JobName($0) } }
}
