public import Foundation

/// What a sender may decide about a signature.
///
/// Of compositions Celery reads them so: a chain passes them to its first step, a group to every
/// member, a chord to its body, but times to its header. The id is that of the whole.
extension Signature {
    /// The same with an id of your own, which makes a repeat recognisable; results are found under
    /// it.
    public func id(_ id: JobID) -> Signature { with("task_id", .string(id.text)) }

    /// The same, sent to this queue and not to the job's own.
    public func on(queue: QueueName) -> Signature { with("queue", .string(queue.text)) }

    /// The same with a priority; 0 is the most urgent.
    public func priority(_ priority: Priority) -> Signature {
        with("priority", .number(JSONNumber(priority.value)))
    }

    /// The same, run no sooner than this long after it is sent.
    public func after(_ delay: Duration) -> Signature { with("countdown", delay.json) }

    /// The same, run no sooner than at this time.
    public func at(_ date: Date) -> Signature { with("eta", .string(WireDate.text(date))) }

    /// The same, not to be run later than this long after it is sent.
    public func expires(after delay: Duration) -> Signature { with("expires", delay.json) }

    /// The same, not to be run after this time.
    public func expires(at date: Date) -> Signature {
        with("expires", .string(WireDate.text(date)))
    }

    /// The same with other time limits than the job's own: told to stop after the soft one, cut off
    /// after the hard one.
    public func timeLimits(soft: Duration? = nil, hard: Duration? = nil) -> Signature {
        with("soft_time_limit", soft?.json).with("time_limit", hard?.json)
    }

    /// The same, keeping no result; whoever waits for it waits in vain.
    public var resultless: Signature { with("ignore_result", true) }

    /// The same with further headers, kept by every worker.
    public func headers(_ headers: JSONObject) -> Signature {
        var all = options["headers"]?.objectValue ?? JSONObject()
        for (name, value) in headers { all[name] = value }
        return with("headers", .object(all))
    }

    /// The same, shown under this name by monitors.
    public func shown(as name: String) -> Signature { with("shadow", .string(name)) }
}

extension Duration {
    /// Seconds as Python writes them: whole ones without a fraction.
    fileprivate var json: JSONValue {
        let (whole, fraction) = components
        return .number(fraction == 0 ? JSONNumber(whole) : JSONNumber(inSeconds))
    }
}
