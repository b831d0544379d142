import JobModel

/// Commands that say how often and how long jobs of a kind may run on this worker.
enum LimitCommands {
    static let all: [ControlCommand] = [
        .change("rate_limit") { arguments, site in try limitRate(arguments, at: site) },
        .change("time_limit") { arguments, site in
            let name = JobName(try arguments.text("task_name"))
            var limits = JobTuning.Limits()
            limits.soft = try arguments.seconds("soft")
            limits.hard = try arguments.seconds("hard")
            guard site.registry[name] != nil else { throw ControlFailure("unknown task") }
            site.tuning.set(limits, for: name)
            return .ok("time limits set successfully")
        },
    ]

    private static func limitRate(
        _ arguments: ControlArguments, at site: ControlSite
    ) throws(ControlFailure) -> JSONValue {
        let name = JobName(try arguments.text("task_name"))
        let text: String =
            switch arguments["rate_limit"] {
            case nil: "0"
            case .number(let number)?: number.text
            case let other?: other.stringValue ?? other.kind
            }
        let rate: RateLimit?
        do throws(InvalidName) { rate = try RateLimit(text) } catch {
            let cause = ControlFailure("ValueError", "\(error)")
            throw ControlFailure("Invalid rate limit string: \(cause.text)")
        }
        guard site.registry[name] != nil else { throw ControlFailure("unknown task") }
        site.tuning.set(rate, for: name)
        return .ok(
            rate == nil
                ? "rate limit disabled successfully" : "new rate limit set successfully")
    }
}
