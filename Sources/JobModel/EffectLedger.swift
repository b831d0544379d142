/// What is known, outside Redis, of the effect of a job.
package protocol EffectLedger: Sendable {
    /// Shows the fence of a repeated delivery before it runs: from then on no older holder can
    /// commit.
    ///
    /// An error says that nothing is known. To run the job all the same is safe as far as its
    /// effects go: its own transactions ask again.
    func admit(_ fence: Fence, of id: JobID) async throws -> EffectAdmission
}

/// Whether a repeated delivery is to be run.
package enum EffectAdmission: Sendable, Equatable {
    /// Not done as far as is known: run it.
    case open
    /// Done for good: settle it with this result, do not run it.
    case tookEffect(result: JSONValue)
    /// A later holder has shown its fence: this one is a zombie.
    case fenced
}

/// Thrown out of `context.transaction`: nothing of it was committed, a later holder has the job.
///
/// Let it pass. Whatever this run would still do, the later one does.
public struct LeaseLost: Error, CustomStringConvertible {
    /// Makes one.
    public init() {}

    /// What happened, for operators.
    public var description: String {
        "the job has a later holder; nothing of this transaction was committed"
    }
}
