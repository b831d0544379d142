import JobModel

/// Commands that change how many jobs run at once, and the one that ends the worker.
enum PoolCommands {
    static let all: [ControlCommand] = [
        .change("pool_grow") { arguments, site in
            try refuseAutoscale("pool_grow", at: site)
            let count = try arguments.count("n") ?? 1
            guard count >= 0, site.lanes.count + count <= LanePool.maximum else {
                throw ControlFailure(
                    "ValueError", "a worker runs at most \(LanePool.maximum) jobs at a time")
            }
            site.lanes.resize(to: site.lanes.count + count)
            return .ok("pool will grow")
        },
        .change("pool_shrink") { arguments, site in
            try refuseAutoscale("pool_shrink", at: site)
            let count = try arguments.count("n") ?? 1
            guard count >= 0, site.lanes.count - count >= 1 else {
                throw ControlFailure("ValueError", "a worker keeps one lane at least")
            }
            site.lanes.resize(to: site.lanes.count - count)
            return .ok("pool will shrink")
        },
        .change("pool_restart") { _, _ in
            throw ControlFailure("ValueError", "Pool restarts not enabled")
        },
        .change("autoscale") { arguments, site in
            guard let autoscaler = site.autoscaler else {
                throw ControlFailure("ValueError", "Autoscale not enabled")
            }
            let old = autoscaler.bounds
            let most = try arguments.count("max") ?? old.upperBound
            let least = try arguments.count("min") ?? min(old.lowerBound, most)
            guard 1 <= least, least <= most, most <= LanePool.maximum else {
                throw ControlFailure(
                    "ValueError", "min and max must be in 1…\(LanePool.maximum), in that order")
            }
            autoscaler.set(least...most)
            return .ok("autoscale now max=\(most) min=\(least)")
        },
        .change("shutdown") { _, site in
            site.drain()
            return nil
        },
    ]

    private static func refuseAutoscale(
        _ command: String, at site: ControlSite
    ) throws(ControlFailure) {
        guard site.autoscaler == nil else {
            throw ControlFailure(
                "\(command) is not supported with autoscale. Adjust autoscale range instead.")
        }
    }
}
