import Testing

@testable import Backhaul

@Suite("A secret is never shown")
struct SecretTests {
    @Test(
        "an address is shown without user, password and query",
        arguments: [
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            ("redis://:hunter2@host:1/3", "redis://***@host:1/3"),
            ("redis://:hunter2@half@host/3", "redis://***@host/3"),
            ("postgresql://u@host/db", "postgresql://***@host/db"),
            ("postgresql://host/db?password=hunter2", "postgresql://host/db?***"),
            ("postgresql://host/db?options=a@b&password=hunter2", "postgresql://host/db?***"),
            ("host=x password=hunter2", "<secret>"),
        ])
    func addresses(text: String, shown: String) {
        #expect(Secret.url(text).description == shown)
        #expect(Secret.url(text).revealed == text)
    }

    @Test("no way of printing shows the text")
    func printing() throws {
        var settings = Settings()
        settings.payments.apiKey = Secret("hunter2")
        settings.redis.url = .url("redis://:hunter2@host/0")
        settings.database.url = .url("postgresql://u:hunter2@host/db?password=hunter2")
        var dumped = ""
        dump(settings, to: &dumped)
        let views = [
            "\(settings)", String(reflecting: settings), dumped,
            String(reflecting: settings.payments.apiKey),
            SettingKey.all.compactMap { $0.shown(settings) }.joined(),
        ]
        for view in views { #expect(!view.contains("hunter2")) }
    }

    @Test(
        "a refusal of a secret does not quote it",
        arguments: [
            ("redis.url", "hunter2"), ("redis.url", "rediss://:hunter2@host/0"),
            ("redis.url", "redis://hunter2@host/0"), ("redis.url", "redis://:hunter2@host/x"),
            ("redis.url", "redis://:hunter2@host:99999/0"), ("redis.url", "http://:hunter2@host"),
            ("redis.url", "redis://:hunter2%zz@host"), ("database.url", "mysql://hunter2@host/db"),
            ("database.url", "hunter2"),
            ("database.url", "postgresql://u:hunter2%zz@host/db"),
            ("payments.api_key", "hunter2 "), ("payments.gateway_url", "https://u:hunter2@host"),
        ])
    func refusals(key: String, text: String) {
        let loader = SettingsLoader(flags: [FlagValue(key: key, text: text, flag: "--set \(key)")])
        let error = #expect(throws: SettingsError.self) { try loader.load() }
        #expect(error?.description.contains("hunter2") == false)
    }
}
