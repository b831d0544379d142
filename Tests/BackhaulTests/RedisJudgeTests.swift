import Broker
import Foundation
import Testing

@testable import Backhaul

@Suite("What Redis says of itself is judged")
struct RedisJudgeTests {
    private static let mebibyte = 1_048_576

    private func info(_ changes: [String: String] = [:]) -> RedisInfo {
        let good = [
            "redis_version": "7.0.15", "role": "master", "maxmemory_policy": "noeviction",
            "aof_enabled": "1", "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok",
            "rdb_last_bgsave_status": "ok", "used_memory": "\(10 * Self.mebibyte)",
            "maxmemory": "\(100 * Self.mebibyte)",
            "total_system_memory": "\(1000 * Self.mebibyte)", "connected_clients": "10",
            "maxclients": "1000", "connected_slaves": "0", "latest_fork_usec": "300",
        ]
        let lines = good.merging(changes) { $1 }.map { "\($0.key):\($0.value)" }
        return RedisInfo("# Server\r\n" + lines.joined(separator: "\r\n") + "\r\n")
    }

    private func facts(_ changes: [String: String] = [:]) -> RedisFacts {
        var facts = RedisFacts()
        facts.info = info(changes)
        facts.config = ["save": "", "appendfsync": "everysec"]
        facts.clockDifference = 0
        return facts
    }

    private func states(
        _ name: String, _ changes: [String: String], _ config: [String: String]? = nil
    ) -> DoctorCheck.State? {
        var told = facts(changes)
        if let config { told.config = config }
        return RedisJudge.all(told, needing: FleetNeeds(Settings()))
            .first { $0.name == name }?.state
    }

    @Test("a server set up for jobs has nothing to be said against it")
    func good() {
        let checks = RedisJudge.all(facts(), needing: FleetNeeds(Settings()))
        #expect(checks.allSatisfy { $0.state == .ok && $0.advice == nil })
        #expect(Set(checks.map(\.name)).count == checks.count)
        #expect(RedisJudge.startObstacles(facts()).isEmpty)
    }

    @Test(
        "each field is judged by itself",
        arguments: [
            ("redis version", ["redis_version": "6.2.0"], DoctorCheck.State.ok),
            ("redis version", ["redis_version": "6.0.16"], .fail),
            ("redis version", ["redis_version": "5.0.14"], .fail),
            ("redis role", ["role": "slave"], .fail), ("redis role", ["role": "sentinel"], .fail),
            ("redis eviction", ["maxmemory_policy": "volatile-lru"], .fail),
            ("redis eviction", ["maxmemory_policy": "allkeys-random"], .fail),
            ("redis persistence", ["aof_last_write_status": "err"], .fail),
            ("redis persistence", ["aof_last_bgrewrite_status": "err"], .warn),
            ("redis persistence", ["aof_enabled": "0"], .warn),
            ("redis memory", ["used_memory": "\(80 * mebibyte)"], .warn),
            ("redis memory", ["used_memory": "\(96 * mebibyte)"], .fail),
            ("redis memory", ["maxmemory": "0"], .ok),
            ("redis memory", ["maxmemory": "0", "used_memory": "\(600 * mebibyte)"], .warn),
            ("redis clients", ["connected_clients": "790"], .warn),
            ("redis clients", ["connected_clients": "990"], .fail),
            ("redis fork", ["latest_fork_usec": "2000000"], .warn),
            (
                "redis replicas",
                ["connected_slaves": "1", "slave0": "ip=1.2.3.4,port=1,state=online,lag=1"], .ok
            ),
            (
                "redis replicas",
                ["connected_slaves": "1", "slave0": "ip=1.2.3.4,port=1,state=online,lag=60"], .warn
            ),
            (
                "redis replicas",
                ["connected_slaves": "1", "slave0": "ip=1.2.3.4,port=1,state=wait_bgsave,lag=0"],
                .warn
            ),
        ])
    func fields(name: String, changes: [String: String], state: DoctorCheck.State) {
        #expect(states(name, changes) == state)
    }

    @Test("what CONFIG says counts, and a server that hides it is warned about")
    func config() {
        let plain = ["aof_enabled": "0"]
        for config in [["save": ""], ["save": "3600 1"], [:]] {
            #expect(states("redis persistence", plain, config) == .warn)
        }
        #expect(states("redis persistence", [:], ["appendfsync": "no"]) == .warn)
        #expect(states("redis persistence", [:], [:]) == .ok)
        let failing = plain.merging(["rdb_last_bgsave_status": "err"]) { $1 }
        #expect(states("redis persistence", failing, ["save": "3600 1"]) == .fail)
        #expect(
            states(
                "redis persistence", failing,
                ["save": "3600 1", "stop-writes-on-bgsave-error": "no"]) == .warn)
        #expect(states("redis replicas", [:], ["min-replicas-to-write": "1"]) == .fail)
    }

    @Test("a server that hides INFO is warned about, not failed, and may be started on")
    func hidden() {
        var facts = RedisFacts()
        facts.clockDifference = 0
        let checks = RedisJudge.all(facts, needing: FleetNeeds(Settings()))
        #expect(checks.allSatisfy { $0.state != .fail })
        #expect(checks.count { $0.state == .warn } >= 5)
        #expect(RedisJudge.startObstacles(facts).isEmpty)
    }

    @Test("refusals are told apart: of the user, and of the moment")
    func refusals() {
        func judged(_ text: String) -> (scripts: DoctorCheck.State, writes: DoctorCheck.State) {
            var told = facts()
            told.refusals = .success([text])
            return (RedisJudge.scripts(told).state, RedisJudge.writes(told.refusals).state)
        }
        #expect(judged("NOPERM No permissions to access a key") == (.fail, .ok))
        #expect(judged("ERR The user executing the script can't run this command") == (.fail, .ok))
        #expect(judged("READONLY You can't write against a read only replica.") == (.ok, .fail))
        #expect(judged("OOM command not allowed when used memory > 'maxmemory'.") == (.ok, .fail))
        #expect(judged("MISCONF Redis is configured to save RDB snapshots") == (.ok, .fail))
        #expect(judged("NOREPLICAS Not enough good replicas to write.") == (.ok, .fail))
        var silent = facts()
        silent.refusals = .failure(BrokerError(code: .server, message: "NOPERM"))
        #expect(RedisJudge.scripts(silent).state == .fail)
        #expect(RedisJudge.writes(silent.refusals).state == .warn)
    }

    @Test("what would lose jobs keeps a worker from starting, and nothing else does")
    func obstacles() {
        func names(_ facts: RedisFacts) -> [String] {
            RedisJudge.startObstacles(facts).map(\.name)
        }
        #expect(names(facts(["maxmemory_policy": "allkeys-lru"])) == ["redis eviction"])
        #expect(names(facts(["role": "slave"])) == ["redis role"])
        #expect(names(facts(["aof_enabled": "0", "used_memory": "\(99 * Self.mebibyte)"])) == [])
        var odd = facts()
        odd.mistyped = .success([MistypedKey(key: "k", expected: "hash", found: "string")])
        odd.refusals = .success(["NOPERM no"])
        #expect(names(odd) == ["redis scripts", "redis keys"])
        odd.refusals = .success(["OOM full"])
        odd.mistyped = .failure(BrokerError(code: .server, message: "NOPERM"))
        #expect(names(odd) == [])
    }

    @Test("clocks may differ a little, not much")
    func clocks() {
        #expect(RedisJudge.clock(0.5).state == .ok)
        #expect(RedisJudge.clock(-2).state == .ok)
        #expect(RedisJudge.clock(3).found.contains("ahead"))
        #expect(RedisJudge.clock(-3).found.contains("behind"))
        #expect(RedisJudge.clock(nil).state == .warn)
        #expect(DatabaseChecks.judge(clock: 0.1).state == .ok)
        #expect(DatabaseChecks.judge(clock: -5).state == .warn)
    }
}
