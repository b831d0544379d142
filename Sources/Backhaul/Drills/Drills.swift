import JobModel
import Postgres
import Store

/// Jobs for exercises, tests and the fault suite; some of them harm the worker that runs them.
///
/// Registered only when `worker.drills` is true. docs/testing.md says what each does.
enum Drills {
    static let queue: QueueName = "drills"

    /// Many quick retries: an exercise should outlive the faults it is there for.
    static let policy = JobPolicy(
        queue: queue,
        retry: RetryPolicy(
            maximumRetries: 50, backoff: .exponential(base: .milliseconds(50), cap: .seconds(1))))

    /// The longest that a drill sleeps or hangs, seconds.
    static let maximumSeconds = 86_400.0

    static func registered(_ ground: DrillGround) -> [RegisteredJob] {
        [
            RegisteredJob(DrillPrepare(pool: ground.pool)),
            RegisteredJob(DrillEffect(ground: ground)),
            RegisteredJob(DrillSleep()), RegisteredJob(DrillHang()), RegisteredJob(DrillCrash()),
            RegisteredJob(DrillFail()), RegisteredJob(DrillAllocate()),
            RegisteredJob(DrillNumber()), RegisteredJob(DrillGather()), RegisteredJob(DrillAdd()),
            RegisteredJob(DrillSum()), RegisteredJob(DrillReplace()),
        ]
    }

    /// Where each of them goes, for whoever enqueues by name.
    static let queues: [JobName: QueueName] = Dictionary(
        uniqueKeysWithValues: [
            DrillPrepare.name, DrillEffect.name, DrillSleep.name, DrillHang.name, DrillCrash.name,
            DrillFail.name, DrillAllocate.name, DrillNumber.name, DrillGather.name,
            DrillAdd.name, DrillSum.name, DrillReplace.name,
        ].map { ($0, queue) })

    /// A length of time that a producer asked for.
    static func duration(_ seconds: Double) throws(PermanentFailure) -> Duration {
        guard (0...maximumSeconds).contains(seconds) else {
            throw PermanentFailure("seconds must be in 0…\(Int(maximumSeconds))")
        }
        return .seconds(seconds)
    }
}

/// What drills work on.
struct DrillGround: Sendable {
    let pool: PostgresPool
    /// Written beside each effect, so that doubles show who made them.
    let worker: String
    let fencing: EffectFencing
}
