/// What is known, outside Redis, of the effects of jobs.
package protocol EffectLedger: Sendable {
    /// Shows the fence of a repeated delivery before it runs: from then on no older holder can
    /// commit.
    func admit(_ fence: Fence, of id: JobID) async throws -> EffectAdmission
}

/// What a ledger says to a repeated delivery.
package enum EffectAdmission: Sendable, Equatable {
    /// Not done as far as is known: run it.
    case open
    /// Done for good: settle it with this result, and do not run it.
    case tookEffect(result: JSONValue)
    /// A later holder has shown its fence: this one's lease ran out.
    case fenced
}

/// Thrown where an effect was refused because a later holder of the same message has shown itself;
/// nothing of it was committed.
///
/// A body passes it on: the worker then gives the message up without counting an attempt.
public struct LeaseLost: Error, CustomStringConvertible {
    /// Says that the lease is lost.
    public init() {}

    /// One sentence for an operator.
    public var description: String { "the lease was lost; another worker has the job" }
}
