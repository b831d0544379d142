// What a crash of Redis, or of its machine, would cost.

extension RedisJudge {
    static func persistence(_ info: RedisInfo, _ config: [String: String]) -> DoctorCheck {
        let name = "redis persistence"
        guard let isAppending = info["aof_enabled"] else {
            return .warn(
                name, "unknown", advice: "ask whoever runs this server what a crash would lose")
        }
        if isAppending == "1" { return appending(name, info, config) }
        let savesFail = info["rdb_last_bgsave_status"] ?? "ok" != "ok"
        if savesFail, config["stop-writes-on-bgsave-error"] ?? "yes" == "yes", config["save"] != ""
        {
            return .fail(
                name, "snapshots only, and the last one failed: Redis refuses writes",
                advice: "is its disk full? Its own log says why; then set appendonly yes")
        }
        switch config["save"] {
        case "":
            return .warn(
                name, "none: a restart loses every job",
                advice: "set appendonly yes, unless jobs may be lost")
        case let rules?:
            return .warn(
                name, "snapshots only (save \(rules)): a crash loses what came after the last one",
                advice: "set appendonly yes, unless jobs may be lost")
        case nil:
            return .warn(
                name, "no appendonly file, and CONFIG is not allowed here",
                advice: "ask whoever runs this server what a crash would lose")
        }
    }

    private static func appending(
        _ name: String, _ info: RedisInfo, _ config: [String: String]
    ) -> DoctorCheck {
        guard info["aof_last_write_status"] ?? "ok" == "ok" else {
            return .fail(
                name, "appendonly, but the last write failed", advice: "is its disk full?")
        }
        guard info["aof_last_bgrewrite_status"] ?? "ok" == "ok" else {
            return .warn(
                name, "appendonly, but the last rewrite of the file failed",
                advice: "it grows until a rewrite succeeds; is its disk full?")
        }
        switch config["appendfsync"] {
        case "no":
            return .warn(
                name, "appendonly, appendfsync no: a crash of the machine loses half a minute",
                advice: "set appendfsync everysec or always")
        case let policy?: return .ok(name, "appendonly, appendfsync \(policy)")
        case nil: return .ok(name, "appendonly")
        }
    }

    static func replication(_ info: RedisInfo, _ config: [String: String]) -> DoctorCheck {
        let name = "redis replicas"
        guard info["role"] == "master" else {
            return .ok(name, "told by the primary only")
        }
        let replicas = (0..<(info.number("connected_slaves") ?? 0)).compactMap { number in
            info["slave\(number)"].map(Replica.init)
        }
        let required = config["min-replicas-to-write"].flatMap { Int($0) } ?? 0
        let good = replicas.count { $0.isOnline && $0.lag <= longestLag }
        guard good >= required else {
            return .fail(
                name, "\(good) in step, \(required) required: Redis refuses writes",
                advice: "bring replicas back, or lower min-replicas-to-write")
        }
        guard let worst = replicas.max(by: { $0.lag < $1.lag }) else {
            return .ok(name, "none: what the machine loses is lost")
        }
        guard good == replicas.count else {
            return .warn(
                name,
                "\(replicas.count - good) of \(replicas.count) behind or not connected, up to "
                    + "\(worst.lag) s",
                advice: "a failover now loses what they have not got; see to their network and load"
            )
        }
        return .ok(name, "\(replicas.count) in step")
    }

    /// A line of INFO, such as `ip=…,port=…,state=online,offset=…,lag=0`.
    private struct Replica {
        let isOnline: Bool
        let lag: Int

        init(_ text: String) {
            let fields = Dictionary(
                text.split(separator: ",").compactMap { field in
                    let parts = field.split(separator: "=", maxSplits: 1)
                    return parts.count == 2 ? (parts[0], parts[1]) : nil
                }, uniquingKeysWith: { first, _ in first })
            isOnline = fields["state"] == "online"
            lag = fields["lag"].flatMap { Int($0) } ?? .max
        }
    }
}
