import Foundation
import JobModel
import Store

/// Into how many jobs a sweep of all services is divided.
package struct ShardPlan: Sendable {
    /// As many as are measured in about a second; the README of this folder has the figures.
    package static let servicesPerShard = 10_000
    /// The most jobs for one month; a bucket is never divided.
    package static let maximumShards = 64

    /// A shard for each so many services.
    package let servicesPerShard: Int

    package init(servicesPerShard: Int = Self.servicesPerShard) {
        precondition(servicesPerShard > 0, "a shard has services")
        self.servicesPerShard = servicesPerShard
    }

    /// How many shards so many services make; none without services.
    package func shards(of services: Int) -> Int {
        let whole = (services + servicesPerShard - 1) / servicesPerShard
        return min(whole, Self.maximumShards)
    }

    /// The buckets of one of `shards`.
    ///
    /// - Throws: `PermanentFailure` that names the field.
    static func buckets(_ shard: Int, of shards: Int?) throws -> ServiceLevelBuckets {
        // Sixteen is what a shard was one of before jobs said so.
        let shards = shards ?? 16
        guard (1...ServiceLevelBuckets.count).contains(shards) else {
            throw PermanentFailure("shards must be in 1…\(ServiceLevelBuckets.count)")
        }
        guard (0..<shards).contains(shard) else {
            throw PermanentFailure("shard must be in 0…\(shards - 1)")
        }
        return ServiceLevelBuckets(part: shard, of: shards)
    }
}

/// Sends the jobs of a sweep that was divided.
///
/// They leave with the end of the job that sends them, all or none. Their ids are made of what they
/// are to do, so those of a repeat are the same and can be recognised.
struct ShardFanOut {
    let job: JobName
    let asOf: AsOf
    let shards: Int
    let context: JobContext

    /// Sends one job for each shard; returns how many.
    ///
    /// They are as urgent as this job, and expire when it would have: shards that had no turn are not
    /// queued behind the next sweep's. So that not always the same ones go without, each tick begins
    /// at another shard.
    func send(_ period: String? = nil) throws -> Int {
        guard shards > 0 else { return 0 }
        let first = Int(asOf.date.timeIntervalSince1970) / Self.rhythm % shards
        let request = context.request
        for shard in 0..<shards {
            try context.send(
                signature((first + shard) % shards, period)
                    .with("priority", request?.priority)
                    .with("expires", request?.expires.map(JSONValue.string)))
        }
        return shards
    }

    /// Between two sweeps, seconds.
    private static let rhythm = 300
    /// Of an id that is part of others, bytes.
    private static let maximumID = 120

    private func signature(_ shard: Int, _ period: String?) -> Signature {
        var kwargs = JSONObject()
        kwargs["period"] = period.map(JSONValue.string)
        kwargs["shard"] = .number(JSONNumber(shard))
        kwargs["shards"] = .number(JSONNumber(shards))
        kwargs["at"] = .string(asOf.text)
        let parts = [job.text, origin, period, "\(shard)-of-\(shards)"].compactMap(\.self)
        return Signature(job, kwargs: kwargs).id(JobID(parts.joined(separator: ":")))
    }

    /// The tick; of what no schedule sent, the job.
    ///
    /// Without signs that an address would escape.
    private var origin: String {
        asOf.isNow && context.id.text.utf8.count <= Self.maximumID
            ? context.id.text : asOf.text.replacing("+00:00", with: "Z")
    }
}
