import ArgumentParser
import JobModel
import Logging
import Testing

@testable import Backhaul

@Suite("Names and address ranges are recognised")
struct SettingNamesTests {
    @Test("nothing is suggested when nothing is near")
    func farNames() {
        #expect(
            NearestName.suggestion(for: "colour", among: ["worker.queues", "log.level"]) == nil)
        #expect(
            NearestName.suggestion(for: "level", among: ["worker.level", "logging.level"]) == nil)
    }

    @Test(
        "address ranges are told from what looks like them",
        arguments: [
            ("10.0.0.0/8", true), ("127.0.0.1/32", true), ("::1/128", true), ("fd00::/8", true),
            ("2001:db8::/64", true), ("::/0", true), ("10.0.0.1", true), ("10.1.0.0/8", false),
            ("10.0.0.0/33", false), ("10.0.0/8", false), ("10.0.0.256/8", false),
            ("010.0.0.0/8", false), ("fd00::1::2/8", false), ("fd00:/8", false),
            ("::1/129", false), ("localhost/8", false), ("/8", false),
            ("1:2:3:4:5:6:7:8:9/64", false), ("12345::/16", false), ("10.0.0.0/-1", false),
        ])
    func ranges(text: String, isWellFormed: Bool) throws {
        let loader = SettingsLoader(
            flags: [FlagValue(key: "http.allow", text: text, flag: "--set")])
        if isWellFormed {
            #expect(try loader.load().settings.http.allow.map(\.text) == [text])
        } else {
            #expect(throws: SettingsError.self) { try loader.load() }
        }
    }

    @Test("every flag of the table is a flag of some command's options")
    func flags() {
        let help =
            SharedOptions.helpMessage() + WorkerFlags.helpMessage()
            + SchedulerFlags.helpMessage()
        for flag in SettingKey.all.compactMap(\.flag) { #expect(help.contains("\(flag) <")) }
    }

    @Test("flags become settings, and --set takes any key")
    func flagValues() throws {
        let shared = try SharedOptions.parse([
            "--redis", "redis://r/1", "--set", "worker.grace_seconds=60", "--set",
            "redis.key_prefix=a=b", "--log-level", "debug",
        ])
        let worker = try WorkerFlags.parse(["--queues", "a,b", "--concurrency", "3"])
        let settings = try shared.settings(adding: worker.flagValues, environment: [:]).settings
        #expect(settings.redis.url.revealed == "redis://r/1")
        #expect(settings.redis.keyPrefix == "a=b")
        #expect(settings.worker.grace == .seconds(60))
        #expect(settings.worker.queues == ["a", "b"])
        #expect(settings.worker.concurrency == 3)
        #expect(settings.log.level == .debug)
    }

    @Test("--set without = is refused, and --config wins over its variable")
    func wrongFlags() throws {
        let bare = try SharedOptions.parse(["--set", "worker.concurrency"])
        #expect(throws: SettingsError.self) { try bare.settings(environment: [:]) }
        let shared = try SharedOptions.parse(["--config", "/nowhere/flag.yaml"])
        let error = #expect(throws: SettingsError.self) {
            try shared.settings(environment: ["BACKHAUL_CONFIG": "/nowhere/variable.yaml"])
        }
        #expect(error?.description.contains("/nowhere/flag.yaml") == true)
    }
}
