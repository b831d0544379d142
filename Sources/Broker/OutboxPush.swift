package import JobModel

/// Rows of an outbox on their way to their queues, in the order in which they are pushed.
package struct OutboxPush: Sendable {
    /// One row, encoded.
    package struct Item: Sendable {
        /// The job's id, by which a repeat is known.
        package let id: JobID
        let list: String
        /// In ms since 1970; 0 is at once.
        let due: Int64
        let message: [UInt8]
    }

    /// When the rows were claimed or earlier, in ms by the clock of the queue server.
    package var claimedAt: Int64
    package var items: [Item]
    /// Jobs pushed before whose rows are known to be gone for good.
    package var confirmed: [JobID]

    package init(claimedAt: Int64 = 0, items: [Item] = [], confirmed: [JobID] = []) {
        self.claimedAt = claimedAt
        self.items = items
        self.confirmed = confirmed
    }
}

/// What became of a push.
package struct OutboxPushed: Sendable, Equatable {
    /// The clock of the queue server, in ms since 1970.
    package let serverTime: Int64
    /// Whether the claim was too old, so that nothing was pushed: another relay may have the rows.
    package let isRefused: Bool
    /// Positions of items that were pushed before.
    package let repeated: [Int]
    /// Positions of items whose queue's key holds something else than a list.
    package let unfit: [Int]
}

/// Why an item cannot be made.
package struct OversizedItem: Error, Sendable {
    package let bytes: Int
    package let limit: Int
}

/// How long relays are protected from each other.
///
/// A relay that stood still may come back when its rows are another's. Its push is refused once its
/// claim is `claimLimit` old; until then the ids are still known, because a confirmed one is kept for
/// longer than that.
package struct OutboxLimits: Sendable {
    /// The greatest age of a claim whose rows may be pushed.
    package var claimLimit = Duration.seconds(10)
    /// How long an id is kept after its row is known to be gone.
    package var confirmedKept = Duration.seconds(20)
    /// How long an id is kept whose row may come back.
    package var inDoubtKept = Duration.seconds(30 * 86_400)
    /// The most ids forgotten in one call; more than one call adds.
    package var trimmed = 10_000

    package init() {}
}
