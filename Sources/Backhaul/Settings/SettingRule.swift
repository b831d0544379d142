import Supervisor

/// A rule between settings that are each well formed.
struct SettingRule: Sendable {
    /// The keys it is about; a problem is reported at the first.
    let keys: [String]
    /// What is wrong, or `nil`.
    let complaint: @Sendable (Settings) -> String?

    /// Every rule.
    static let all: [SettingRule] = [
        leaseOutlivesRenewal, connectingFitsInRequest, effectsOutliveMessages, stallOutlivesWait,
        stoppingOutlivesGrace, recyclingLeavesRoom, autoscaleGrows,
    ]

    /// One renewal may be late or lost, and the lease must still hold.
    private static let leaseOutlivesRenewal = SettingRule(
        keys: ["worker.lease_seconds", "worker.lease_renewal_seconds"]
    ) { settings in
        let lease = settings.worker.lease
        let renewal = settings.worker.leaseRenewal
        guard lease < renewal * 2 else { return nil }
        return "must be at least twice worker.lease_renewal_seconds; "
            + "\(lease.secondsText) is less than 2 × \(renewal.secondsText)"
    }

    /// An idle worker makes a round trip each time its wait ends, and one may be lost.
    private static let stallOutlivesWait = SettingRule(
        keys: ["worker.stall_seconds", "worker.wait_seconds"]
    ) { settings in
        let stall = settings.worker.stall
        let wait = settings.worker.wait
        guard stall > .zero, stall < wait * 2 else { return nil }
        return "must be 0 or at least twice worker.wait_seconds; "
            + "\(stall.secondsText) is less than 2 × \(wait.secondsText)"
    }

    /// A supervisor that killed within the grace period would lose what draining saves.
    private static let stoppingOutlivesGrace = SettingRule(
        keys: ["supervisor.stop_timeout_seconds", "worker.grace_seconds", "worker.processes"]
    ) { settings in
        let timeout = settings.supervisor.stopTimeout
        let grace = settings.worker.grace
        guard settings.worker.processes > 1, timeout < grace + Pulse.margin else { return nil }
        return "must be at least worker.grace_seconds and \(Pulse.margin.secondsText) more; "
            + "\(timeout.secondsText) is less than \(grace.secondsText) + "
            + Pulse.margin.secondsText
    }

    /// A fresh process occupies about 40 MiB: below that it would be recycled for ever.
    private static let recyclingLeavesRoom = SettingRule(keys: ["worker.recycle_at_bytes"]) {
        settings in
        let limit = settings.worker.recycleAtBytes
        let least = 64 * 1_048_576
        guard limit > 0, limit < least else { return nil }
        return "must be 0 or at least \(least); a fresh process comes near \(limit)"
    }

    private static let autoscaleGrows = SettingRule(
        keys: ["worker.autoscale_max", "worker.autoscale_min"]
    ) { settings in
        let (most, least) = (settings.worker.autoscaleMaximum, settings.worker.autoscaleMinimum)
        guard most > 0, most < least else { return nil }
        return "must be 0 or at least worker.autoscale_min; \(most) is less than \(least)"
    }

    private static let connectingFitsInRequest = SettingRule(
        keys: ["http.total_timeout_seconds", "http.connect_timeout_seconds"]
    ) { settings in
        let total = settings.http.totalTimeout
        let connect = settings.http.connectTimeout
        guard total < connect else { return nil }
        return "must be at least http.connect_timeout_seconds; "
            + "\(total.secondsText) is less than \(connect.secondsText)"
    }

    /// A message that a Python worker held comes back as late as that, and must be recognised.
    private static let effectsOutliveMessages = SettingRule(
        keys: ["effects.keep_seconds", "worker.visibility_timeout_seconds"]
    ) { settings in
        let keep = settings.effects.keep
        let visibility = settings.worker.visibilityTimeout
        guard keep < visibility * 2 else { return nil }
        return "must be at least twice worker.visibility_timeout_seconds; "
            + "\(keep.secondsText) is less than 2 × \(visibility.secondsText)"
    }
}
