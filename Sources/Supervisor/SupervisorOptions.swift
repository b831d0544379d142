/// How a supervisor keeps its processes.
package struct SupervisorOptions: Sendable {
    /// How many.
    package var processes: Int
    /// How long a process that was told to stop may take before it is killed.
    package var stopTimeout = Duration.seconds(40)
    /// How long a process may be silent before it counts as wedged and is killed.
    package var silenceLimit = Duration.seconds(15)
    /// How long a process may say that it makes no progress before it is replaced.
    package var stallLimit = Duration.seconds(60)
    /// The wait before a process that ended is started again, doubled each time it ends again.
    package var firstDelay = Duration.milliseconds(250)
    /// The longest such wait.
    package var longestDelay = Duration.seconds(30)
    /// How long a process must have been ready for its earlier ends to be forgotten.
    package var healthyAfter = Duration.seconds(30)
    /// Ends in a row that count as a crash loop.
    package var crashLoopAfter = 5
    /// Replacements that may end before they are ready until a replacement is given up.
    package var replacementTries = 3
    /// A process that asks to be recycled sooner than this after its start is not believed.
    package var shortestLife = Duration.seconds(1)
    /// How often timers are looked at.
    package var tick = Duration.milliseconds(200)

    package init(processes: Int) {
        precondition(processes > 0, "a supervisor keeps at least one process")
        self.processes = processes
    }

    /// The wait after that many ends in a row.
    func delay(afterFailures count: Int) -> Duration {
        let doublings = min(max(count - 1, 0), 20)
        return min(firstDelay * (1 << doublings), longestDelay)
    }
}
