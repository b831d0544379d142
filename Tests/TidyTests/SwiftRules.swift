/// Rules about one Swift file.
enum SwiftRules {
    static let maximumLines = 400

    static func length(_ file: TidyFile) -> [Finding] {
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        guard count > maximumLines else { return [] }
        return [
            Finding(
                path: file.path, line: maximumLines + 1,
                advice:
                    "\(count) lines; at most \(maximumLines): move one concept to a file of its own"
            )
        ]
    }

    /// Files that may make an unstructured task, and why.
    static let unstructuredTaskFiles: [String: String] = [
        "Sources/Worker/Stint.swift": "a body that ignores its cancellation must be left behind",
        "Sources/Backhaul/Program.swift": "the task that is the program; its main thread waits",
    ]

    static func unstructuredTasks(_ file: TidyFile) -> [Finding] {
        guard unstructuredTaskFiles[file.path] == nil else { return [] }
        return file.findings(
            of: /(?:^|[^\w.])Task\s*(?:<[^>]*>\s*)?(?:\{|\(|\.detached|\.init|\.immediate)/,
            in: file.swift.code,
            "a task that nobody waits for outlives its service; use a task group")
    }

    /// Files that may read the machine's own clock, and why.
    static let clockFiles: [String: String] = [
        "Sources/JobModel/TimeSource.swift": "the machine's wall clock behind its seam",
        "Sources/Broker/RedisLeaseRenewal.swift": "how long ago this process renewed its lease",
        "Sources/Broker/Broker.swift": "when this process last renewed its lease",
        "Sources/Worker/ActiveRun.swift": "how long a body has run, and when it must end",
        "Sources/Worker/ActiveRuns.swift": "how long a body has run, and when it must end",
        "Sources/Worker/JobRunner.swift": "how long a body has run, and whether the lease stands",
        "Sources/Worker/LeaseKeeper.swift": "whether the lease stands",
        "Sources/Worker/Stint.swift": "how long a body has run, and when it must end",
        "Sources/Worker/Outage.swift": "how long an outage lasted, for its log line",
        "Sources/Worker/Settler.swift": "when what Redis refused is tried again",
    ]

    /// Modules whose deadlines are those of sockets and threads, or that choose the clock for all.
    static let clockModules: Set = [
        "Backhaul", "Redis", "Postgres", "HTTP", "Mailbox", "ProcessControl", "TestSupport",
    ]

    static func wallClocks(_ file: TidyFile) -> [Finding] {
        guard file.isSource, clockFiles[file.path] == nil else { return [] }
        return readings(
            file,
            of: /\bDate\(\)|\bDate\.now\b|timeIntervalSinceNow|\bgettimeofday\b|\btime\(nil\)/,
            "take the date from a TimeSource that is handed in")
    }

    static func monotonicClocks(_ file: TidyFile) -> [Finding] {
        guard file.isSource, let module = file.module, !clockModules.contains(module),
            clockFiles[file.path] == nil
        else { return [] }
        // As a default argument a clock is still handed in.
        let code = file.swift.code.replacing(
            /any Clock<Duration>\s*=\s*ContinuousClock\(\)/, with: "")
        return file.findings(
            of: /\bContinuousClock\b|\bSuspendingClock\b|\bDispatchTime\b|\bclock_gettime\b/,
            in: code,
            "take `any Clock<Duration>` as a parameter, so that tests need not wait")
    }

    private static func readings(
        _ file: TidyFile, of pattern: Regex<some Any>, _ advice: String
    ) -> [Finding] {
        file.findings(of: pattern, in: file.swift.code, advice)
    }

    /// Minutes are not waited for: they stand for a body that goes on until it is cancelled.
    static func sleeps(_ file: TidyFile) -> [Finding] {
        readings(
            file,
            of:
                /(?:^|\W)(?:sleep\(\s*(?!for:\s*\.seconds\([0-9_]{3,})(?:(?:for|nanoseconds):\s*)?(?:\.\w+\(\s*)?[0-9]|usleep\(\s*[0-9]|Thread\.sleep)/,
            "a sleep of fixed length is too short or too long; wait for a condition with a deadline"
        )
    }

    static func prints(_ file: TidyFile) -> [Finding] {
        guard file.isSource, file.module != "Backhaul" else { return [] }
        return readings(
            file, of: /(?:^|[^\w.])(?:print|debugPrint|dump|NSLog)\(/,
            "libraries do not print; log through the Logger that is handed in")
    }

    static func redisKeys(_ file: TidyFile) -> [Finding] {
        guard file.isSource, file.path != "Sources/Broker/RedisKeys.swift",
            // What looks like a key there names something in PostgreSQL.
            file.module != "Store", file.module != "Postgres"
        else { return [] }
        return file.findings(
            of: /"(?:[^"]*:)?(?:unacked|celery-task-meta-|_kombu\.binding)|"[^"]*backhaul:[a-z{\\]/,
            in: file.swift.strings,
            "Redis keys are made in Sources/Broker/RedisKeys.swift; add the key there")
    }
}
