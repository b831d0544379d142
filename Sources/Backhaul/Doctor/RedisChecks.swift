import Foundation
import JobModel
import Redis

/// Whether Redis is there and set up so that it keeps what it is given.
struct RedisChecks: Sendable {
    let url: Secret
    let options: RedisOptions
    let time: any TimeSource

    /// The oldest server with every command that is used here.
    static let oldestVersion = [6, 2]
    /// The most that two clocks may differ before delayed jobs are noticeably early or late.
    static let largestClockDifference: TimeInterval = 2

    /// Runs every check; the first failure to reach the server ends them.
    func run() async -> [DoctorCheck] {
        do throws(RedisError) {
            let address = try RedisAddress(url: url.revealed)
            let connection = RedisConnection(address: address, options: options, logger: .quiet)
            let outcome = await checks(connection, "\(url)")
            await connection.close()
            return outcome
        } catch {
            return [Self.unreachable(error, "\(url)")]
        }
    }

    private func checks(_ connection: RedisConnection, _ address: String) async -> [DoctorCheck] {
        do throws(RedisError) {
            _ = try await connection.send(RedisCommand("PING"), timeout: options.connectTimeout)
            let before = time.now
            let clock = try await connection.send(RedisCommand("TIME"))
            let between = before.addingTimeInterval(time.now.timeIntervalSince(before) / 2)
            let info = RedisInfo(
                try await connection.send(RedisCommand("INFO")).string ?? "")
            let snapshots = await snapshotRules(connection)
            return [.ok("redis", "answers at \(address)")]
                + Self.judge(info, snapshots: snapshots)
                + [Self.judge(clock: clock, against: between)]
        } catch {
            return [Self.unreachable(error, address)]
        }
    }

    /// `CONFIG GET save`; `nil` where the server does not allow it, as hosted ones.
    private func snapshotRules(_ connection: RedisConnection) async -> String? {
        let reply = try? await connection.send(RedisCommand("CONFIG", "GET", "save"))
        return reply?.array?.last?.string
    }

    private static func unreachable(_ error: RedisError, _ address: String) -> DoctorCheck {
        let failure = CommandFailure(error, address: address)
        return .fail("redis", failure.message, advice: failure.advice)
    }

    /// What the server says of itself.
    static func judge(_ info: RedisInfo, snapshots: String?) -> [DoctorCheck] {
        [version(info), role(info), eviction(info), persistence(info, snapshots)]
    }

    private static func version(_ info: RedisInfo) -> DoctorCheck {
        let text = info["redis_version"] ?? "unknown"
        let numbers = text.split(separator: ".").map { Int($0) ?? 0 }
        guard !numbers.lexicographicallyPrecedes(oldestVersion) else {
            return .fail(
                "redis version", text, advice: "upgrade to 6.2 or later: BLMOVE is needed")
        }
        return .ok("redis version", text)
    }

    private static func role(_ info: RedisInfo) -> DoctorCheck {
        let role = info["role"] ?? "unknown"
        guard role == "master" else {
            return .fail(
                "redis role", role, advice: "a replica takes no writes; name the primary")
        }
        return .ok("redis role", "primary")
    }

    private static func eviction(_ info: RedisInfo) -> DoctorCheck {
        let policy = info["maxmemory_policy"] ?? "unknown"
        guard policy == "noeviction" else {
            return .fail(
                "redis eviction", policy,
                advice: "when memory is full Redis drops jobs; set maxmemory-policy noeviction")
        }
        return .ok("redis eviction", policy)
    }

    private static func persistence(_ info: RedisInfo, _ snapshots: String?) -> DoctorCheck {
        let name = "redis persistence"
        if info["aof_enabled"] == "1" {
            guard info["aof_last_write_status"] ?? "ok" == "ok" else {
                return .fail(
                    name, "appendonly, but the last write failed", advice: "is its disk full?")
            }
            return .ok(name, "appendonly")
        }
        switch snapshots {
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

    /// `TIME` against this machine's clock at about the same moment.
    static func judge(clock reply: RedisValue, against now: Date) -> DoctorCheck {
        let parts = (reply.array ?? []).compactMap { $0.string.flatMap(Double.init) }
        guard parts.count == 2 else {
            return .warn("clock", "unknown", advice: "TIME gave no time; is this Redis?")
        }
        let difference = parts[0] + parts[1] / 1e6 - now.timeIntervalSince1970
        let shown = "\(abs(difference).formatted(.number.precision(.fractionLength(1)))) s"
        guard abs(difference) <= largestClockDifference else {
            return .warn(
                "clock", "Redis is \(shown) \(difference > 0 ? "ahead" : "behind")",
                advice: "delayed jobs run early or late; let NTP set both clocks")
        }
        return .ok("clock", "as on Redis")
    }
}

/// The fields of `INFO`: lines of `name:value`.
struct RedisInfo: Sendable {
    private let fields: [Substring: Substring]

    init(_ text: String) {
        // "\r\n" is one Character.
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
        let pairs = lines.compactMap { line in
            line.firstIndex(of: ":").map { (line[..<$0], line[line.index(after: $0)...]) }
        }
        fields = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    subscript(name: String) -> String? { fields[Substring(name)].map(String.init) }
}
