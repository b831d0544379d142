import Foundation
import Redis

/// Whether this machine gives a worker what it needs, and Redis too if it runs here.
struct HostChecks: Sendable {
    let settings: Settings

    func run() -> [DoctorCheck] {
        var checks = [
            Self.judge(
                limits: Self.text(of: "/proc/self/limits") ?? "", needing: FleetNeeds(settings))
        ]
        if isRedisHere {
            checks.append(
                Self.judge(
                    hugePages: Self.text(of: "/sys/kernel/mm/transparent_hugepage/enabled"),
                    overcommit: Self.text(of: "/proc/sys/vm/overcommit_memory")))
        }
        return checks
    }

    private var isRedisHere: Bool {
        switch (try? RedisAddress(url: settings.redis.url.revealed))?.endpoint {
        case .tcp(let host, _)?: ["127.0.0.1", "::1", "localhost"].contains(host)
        case .unix?: true
        case .sentinel?, nil: false
        }
    }

    private static func text(of path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }

    /// The file of proc(5): `Max open files            1024                 524288     files`.
    static func judge(limits: String, needing needs: FleetNeeds) -> DoctorCheck {
        let name = "open files"
        let line = limits.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        guard let word = line?.dropFirst("Max open files".count).split(separator: " ").first else {
            return .warn(name, "unknown", advice: "/proc/self/limits cannot be read")
        }
        guard let limit = Int(word) else { return .ok(name, "no limit") }
        let found = "at most \(limit); a worker as set here may need \(needs.openFiles)"
        guard needs.openFiles <= limit else {
            return .fail(
                name, found,
                advice: "raise it (LimitNOFILE of the unit, or ulimit -n), or serve fewer queues")
        }
        return .ok(name, found)
    }

    /// What Redis warns about in its own log, where it runs on this machine.
    static func judge(hugePages: String?, overcommit: String?) -> DoctorCheck {
        let name = "kernel"
        if hugePages?.contains("[always]") == true {
            return .warn(
                name, "transparent huge pages are on",
                advice: "Redis stalls while it writes to disk; as root: echo madvise > "
                    + "/sys/kernel/mm/transparent_hugepage/enabled")
        }
        if overcommit?.trimmingCharacters(in: .whitespacesAndNewlines) == "0" {
            return .warn(
                name, "vm.overcommit_memory is 0",
                advice: "Redis may fail to write to disk when memory is short; as root: sysctl "
                    + "vm.overcommit_memory=1")
        }
        return .ok(name, "as Redis wants it")
    }
}
