import Foundation
import Testing

@testable import JobModel

@Suite("Names")
struct NamesTests {
    @Test(
        "a queue name can be a key and a line of text",
        arguments: ["celery", "mail.out", "größe", "a b"])
    func accepted(_ text: String) throws { #expect(try QueueName(text).text == text) }

    @Test(
        "other queue names are refused with the reason",
        arguments: [
            ("", "queue name is empty"),
            (String(repeating: "x", count: 201), "queue name is longer than 200 bytes"),
            (String(repeating: "é", count: 101), "queue name is longer than 200 bytes"),
            ("a\u{6}\u{16}3", "queue name holds a control character"),
            ("a\n", "queue name holds a control character"),
            ("\u{7f}", "queue name holds a control character"),
        ])
    func refused(_ text: String, _ reason: String) {
        do throws(InvalidName) {
            _ = try QueueName(text)
            Issue.record("the name was accepted")
        } catch {
            #expect(error.description == reason)
        }
    }

    @Test("an id is coded as its text")
    func ids() throws {
        let data = try JSONEncoder().encode([JobID("a")])
        #expect(String(decoding: data, as: UTF8.self) == "[\"a\"]")
        #expect(try JSONDecoder().decode([JobID].self, from: data) == [JobID("a")])
        #expect(JobName("x").description == "x")
    }
}
