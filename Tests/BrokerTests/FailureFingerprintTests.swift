import Testing

@testable import Broker

@Suite("Failures of one kind have one fingerprint")
struct FailureFingerprintTests {
    @Test(
        "what differs from one failure to the next is left out",
        arguments: [
            ("invoice 17 of customer 4 is paid", "invoice # of customer # is paid"),
            ("took 1.5 s, not 0.25", "took # s, not #"), ("value -5", "value #"),
            ("no row 'a b' in \"services\"", "no row \"\" in \"\""), ("it can't be", "it can't be"),
            ("job 0b5f7c1e-8f5a-4a52-9d0c-3f1c6e1a2b3c is gone", "job # is gone"),
            ("job deadbeef-dead-beef-dead-beefdeadbeef", "job #"),
            ("at 2026-11-24T10:00:00Z", "at #:#:#"), ("host 10.0.0.1:5432", "host #:#"),
            ("3 workers died: web01.4711.1b2c3d, web_x.12.abcdef", "# workers died: #, #"),
            ("a  b\n\tc", "a b c"), ("", ""), ("order A123 failed", "order # failed"),
            ("no such job: reports.render_all", "no such job: reports.render_all"),
        ])
    func normalized(message: String, normal: String) {
        #expect(FailureFingerprint.normalized(message) == normal)
    }

    @Test("job, code, type and message tell kinds apart, and the text is stable")
    func apart() {
        func print(
            _ name: String? = "a", _ code: String = "c", _ type: String = "t",
            _ message: String = "row 1"
        ) -> String {
            FailureFingerprint(name: name, code: code, type: type, message: message).text
        }
        #expect(print() == print("a", "c", "t", "row 22"))
        let others = [
            print(), print("b"), print(nil), print("a", "d"), print("a", "c", "u"),
            print("a", "c", "t", "line 1"), print("ac", "", "t"),
        ]
        #expect(Set(others).count == others.count)
        #expect(others.allSatisfy { $0.count == 16 })
        // Operators write it down: a later version must not change it.
        #expect(print() == "64d1202aea98dcc8")
    }
}
