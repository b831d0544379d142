public import Foundation
public import JobModel

/// What a producer may decide about one job beyond its payload; everything has a default.
public struct EnqueueOptions: Sendable {
    /// The task id; a fresh UUID unless given.
    ///
    /// A deterministic id makes repeats recognisable.
    public var id: JobID?
    /// The queue; the job's own unless given.
    public var queue: QueueName?
    /// 0 is the most urgent, and the default.
    public var priority: Priority?
    /// Run no sooner than this long from now.
    public var delay: Duration?
    /// Run no sooner than at this time; wins over ``delay``.
    public var at: Date?
    /// Do not run after this time.
    public var expires: Date?
    /// Cancel a run that takes longer; the job's own limit unless given.
    public var timeLimit: Duration?
    /// Store no result.
    public var ignoresResult: Bool?
    /// Extra headers, kept by every worker.
    public var headers = JSONObject()

    /// The defaults.
    public init() {}

    /// Whether `other` says the same but for the id.
    func differsByIDOnly(from other: EnqueueOptions) -> Bool {
        queue == other.queue && priority == other.priority && delay == other.delay
            && at == other.at && expires == other.expires && timeLimit == other.timeLimit
            && ignoresResult == other.ignoresResult && headers == other.headers
    }

    /// Options for a job that is to run no sooner than `delay` from now.
    public static func after(_ delay: Duration) -> EnqueueOptions {
        var options = EnqueueOptions()
        options.delay = delay
        return options
    }

    /// Options for a job that is to run no sooner than at `date`.
    public static func at(_ date: Date) -> EnqueueOptions {
        var options = EnqueueOptions()
        options.at = date
        return options
    }

    /// Options for a job with a fixed id.
    public static func id(_ text: String) -> EnqueueOptions {
        var options = EnqueueOptions()
        options.id = JobID(text)
        return options
    }
}
