import Broker
import Foundation

/// Judges what a Redis server says of itself; nothing is asked here, and nothing else decides.
///
/// The doctor reports every judgement; ``startObstacles(_:)`` are those that a worker heeds.
enum RedisJudge {
    /// The oldest server with every command that is used here.
    static let oldestVersion = [6, 2]
    /// The most that two clocks may differ before delayed jobs are noticeably early or late, seconds.
    static let largestClockDifference: TimeInterval = 2
    /// Of the memory allowed: beyond the first share there is little room for a backlog, beyond the
    /// second next to none.
    static let fullMemory = (warn: 0.75, fail: 0.95)
    /// Of the machine's memory, where Redis sets itself no bound: writing to disk may need as much
    /// again.
    static let fullMachine = 0.5
    /// How far a replica may lag, seconds.
    static let longestLag = 10
    /// The longest that one fork may stop the server, microseconds.
    static let longestFork = 1_000_000

    /// What must not be started on: jobs would be lost, or none could be taken.
    static func startObstacles(_ facts: RedisFacts) -> [DoctorCheck] {
        [role(facts.info), eviction(facts.info), scripts(facts), keys(facts.mistyped)]
            .filter { $0.state == .fail }
    }

    /// Everything.
    static func all(_ facts: RedisFacts, needing connections: FleetNeeds) -> [DoctorCheck] {
        let info = facts.info
        return [
            version(info), role(info), eviction(info), persistence(info, facts.config),
            memory(info), clients(info, facts.config, connections),
            replication(info, facts.config), scripts(facts), writes(facts.refusals),
            keys(facts.mistyped), fork(info), clock(facts.clockDifference),
        ]
    }

    private static let askTheHost = "INFO is not allowed here; ask whoever runs this server"

    static func version(_ info: RedisInfo) -> DoctorCheck {
        let name = "redis version"
        guard let text = info["redis_version"] else {
            return .warn(name, "unknown", advice: askTheHost)
        }
        let numbers = text.split(separator: ".").map { Int($0) ?? 0 }
        guard !numbers.lexicographicallyPrecedes(oldestVersion) else {
            return .fail(name, text, advice: "upgrade to 6.2 or later: BLMOVE is needed")
        }
        return .ok(name, text)
    }

    static func role(_ info: RedisInfo) -> DoctorCheck {
        let name = "redis role"
        guard let role = info["role"] else {
            return .warn(name, "unknown", advice: askTheHost)
        }
        guard role == "master" else {
            return .fail(
                name, role == "slave" ? "replica" : role,
                advice: "a replica takes no writes; name the primary")
        }
        return .ok(name, "primary")
    }

    static func eviction(_ info: RedisInfo) -> DoctorCheck {
        let name = "redis eviction"
        guard let policy = info["maxmemory_policy"] else {
            return .warn(name, "unknown", advice: askTheHost)
        }
        guard policy == "noeviction" else {
            return .fail(
                name, policy,
                advice: "when memory is full Redis drops jobs; set maxmemory-policy noeviction")
        }
        return .ok(name, policy)
    }

    static func clock(_ difference: TimeInterval?) -> DoctorCheck {
        let name = "clock"
        guard let difference else {
            return .warn(name, "unknown", advice: "TIME gave no time; is this Redis?")
        }
        let shown = "\(abs(difference).formatted(.number.precision(.fractionLength(1)))) s"
        guard abs(difference) <= largestClockDifference else {
            return .warn(
                name, "Redis is \(shown) \(difference > 0 ? "ahead" : "behind")",
                advice: "delayed jobs run early or late; let NTP set both clocks")
        }
        return .ok(name, "as on Redis")
    }

    static func memory(_ info: RedisInfo) -> DoctorCheck {
        let name = "redis memory"
        guard let used = info.number("used_memory"), let most = info.number("maxmemory") else {
            return .warn(name, "unknown", advice: askTheHost)
        }
        func share(_ whole: Int) -> Double { Double(used) / Double(max(whole, 1)) }
        func text(_ whole: Int, _ what: String) -> String {
            "\(used.asMebibytes) of \(whole.asMebibytes) \(what) (\(Int(share(whole) * 100)) %)"
        }
        if most > 0 {
            let found = text(most, "allowed")
            guard share(most) < fullMemory.fail else {
                return .fail(
                    name, found,
                    advice: "producers are refused when it is full: raise maxmemory, or run more "
                        + "workers; `results.expires_seconds` is usually the largest share")
            }
            guard share(most) < fullMemory.warn else {
                return .warn(
                    name, found, advice: "little room for a backlog; raise maxmemory in time")
            }
            return .ok(name, found)
        }
        guard let machine = info.number("total_system_memory"), machine > 0 else {
            return .ok(name, "\(used.asMebibytes), no bound")
        }
        let found = text(machine, "of its machine, no maxmemory")
        guard share(machine) < fullMachine else {
            return .warn(
                name, found,
                advice: "the kernel may kill Redis, the more so while it writes to disk; give the "
                    + "machine more memory, or set maxmemory with noeviction")
        }
        return .ok(name, found)
    }

    static func clients(
        _ info: RedisInfo, _ config: [String: String], _ needs: FleetNeeds
    ) -> DoctorCheck {
        let name = "redis clients"
        guard let now = info.number("connected_clients"),
            let most = info.number("maxclients") ?? config["maxclients"].flatMap({ Int($0) })
        else { return .warn(name, "unknown", advice: askTheHost) }
        let need = needs.redisConnections
        let found = "\(now) of \(most) connected; one more worker as set here needs \(need)"
        guard now + need <= most else {
            return .fail(
                name, found,
                advice: "raise maxclients (and the server's open-file limit), or serve fewer "
                    + "queues in each worker")
        }
        guard now + need <= most * 4 / 5 else {
            return .warn(name, found, advice: "raise maxclients before the fleet grows")
        }
        return .ok(name, found)
    }

    static func fork(_ info: RedisInfo) -> DoctorCheck {
        let name = "redis fork"
        guard let took = info.number("latest_fork_usec") else {
            return .ok(name, "unknown")
        }
        let found = "the last one took \(took / 1000) ms"
        guard took <= longestFork else {
            return .warn(
                name, found,
                advice: "Redis stands still meanwhile; turn transparent huge pages off on its "
                    + "machine, or keep less in it")
        }
        return .ok(name, took == 0 ? "none yet" : found)
    }

    static func scripts(_ facts: RedisFacts) -> DoctorCheck {
        let name = "redis scripts"
        let advice =
            "every step of a message is a script; let the user of REDIS_URL run EVAL, EVALSHA and "
            + "the commands of docs/redis-keys.md, on all keys of the queues"
        switch facts.refusals {
        case .failure(let error):
            return .fail(name, "refused: \(error)".asOneLine, advice: advice)
        case .success(let texts):
            if let text = texts.first(where: isOfPermission) {
                return .fail(name, "refused within a script: \(text)".asOneLine, advice: advice)
            }
            return .ok(name, "allowed")
        }
    }

    /// What Redis does not take just now, although this user may.
    static func writes(_ refusals: Result<[String], BrokerError>) -> DoctorCheck {
        let name = "redis writes"
        guard case .success(let texts) = refusals else {
            return .warn(
                name, "could not be tried", advice: "first see to what `redis scripts` says")
        }
        func refused(by word: String) -> Bool { texts.contains { $0.contains(word) } }
        if refused(by: "READONLY") {
            return .fail(name, "refused: read-only", advice: "name the primary in REDIS_URL")
        }
        if refused(by: "OOM") {
            return .fail(
                name, "refused: out of memory",
                advice: "raise maxmemory; workers make room, producers are refused until then")
        }
        if refused(by: "MISCONF") {
            return .fail(
                name, "refused: Redis cannot write to its disk",
                advice: "is the disk full? Its own log says why the last save failed")
        }
        if refused(by: "NOREPLICAS") {
            return .fail(
                name, "refused: too few replicas",
                advice: "bring replicas back, or lower min-replicas-to-write")
        }
        return .ok(name, "taken")
    }

    private static func isOfPermission(_ text: String) -> Bool {
        text.contains("NOPERM") || text.contains("can't run this command")
            || text.contains("can't access at least one of the keys")
            || text.contains("No permissions")
    }

    static func keys(_ mistyped: Result<[MistypedKey], BrokerError>) -> DoctorCheck {
        let name = "redis keys"
        switch mistyped {
        case .failure(let error):
            return .warn(
                name, "could not be looked at: \(error)".asOneLine,
                advice: "let the user of REDIS_URL run TYPE")
        case .success(let keys):
            guard let first = keys.first else { return .ok(name, "of the right types") }
            let more = keys.count > 1 ? ", and \(keys.count - 1) more" : ""
            return .fail(
                name, "\(first.key) is a \(first.found), not a \(first.expected)\(more)",
                advice: "another program uses this database: give one of them another database "
                    + "number or redis.key_prefix")
        }
    }
}

extension Int {
    /// Bytes, for people.
    fileprivate var asMebibytes: String {
        self < 10 * 1_048_576
            ? "\((Double(self) / 1_048_576).formatted(.number.precision(.fractionLength(1)))) MiB"
            : "\(self / 1_048_576) MiB"
    }
}
