import Postgres

/// Which of the services a job looks at: a range of the 256 buckets that all of them fall into.
///
/// Buckets stay what they are however many jobs share them, so two jobs that divide the services
/// differently still see which of them they have in common.
package struct ServiceLevelBuckets: Sendable, Hashable {
    /// A service is in the bucket of its id's last eight bits; the indexes say `id & 255`.
    package static let count = 256
    /// All services.
    package static let all = ServiceLevelBuckets(0..<count)

    /// Some of 0..<256, never none.
    package let range: Range<Int>

    package init(_ range: Range<Int>) {
        precondition(
            !range.isEmpty && range.lowerBound >= 0 && range.upperBound <= Self.count,
            "no buckets \(range)")
        self.range = range
    }

    /// One of `parts` ranges that together are all, as even as can be.
    package init(part: Int, of parts: Int) {
        precondition((1...Self.count).contains(parts), "no \(parts) parts")
        precondition((0..<parts).contains(part), "no part \(part)")
        self.init(part * Self.count / parts..<(part + 1) * Self.count / parts)
    }

    /// The one bucket that a service is in.
    package init(of service: Int64) {
        let bucket = Int(service & Int64(Self.count - 1))
        self.init(bucket..<(bucket + 1))
    }

    /// The buckets as a parameter: `= any(…)` is one descent of an index for each, also when the
    /// index goes on with another column.
    var numbers: [Int64] { range.map(Int64.init) }

    /// Takes the buckets for the rest of the transaction, in order, so that no two wait for each
    /// other; what is done under other names goes on.
    func lock(_ name: String, in transaction: PostgresTransaction) async throws {
        _ = try await transaction.query(
            """
            select pg_advisory_xact_lock(hashtextextended(concat(\(name)::text, ':', bucket), 0))
            from unnest(\(numbers)) bucket
            """)
    }
}
