import HTTP
import Testing

@Suite("Address blocks")
struct CIDRTests {
    @Test(
        "a block holds its first and last address and neither neighbour",
        arguments: [
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            ("127.0.0.1", ["127.0.0.1"], ["127.0.0.0", "127.0.0.2", "::1"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1"]),
            ("::1/128", ["::1"], ["::", "::2", "0.0.0.1"]),
            ("fd00::/8", ["fd00::", "fdff::1"], ["fcff::", "fe00::"]),
            ("::/0", ["::", "ffff::"], ["1.2.3.4"]),
            ("::ffff:10.0.0.0/104", ["10.0.0.0", "10.255.255.255"], ["11.0.0.0"]),
            ("::ffff:10.1.2.3", ["10.1.2.3", "::ffff:10.1.2.3"], ["10.1.2.4"]),
        ])
    func membership(block: String, inside: [String], outside: [String]) throws {
        let block = try CIDR(block)
        for text in inside { #expect(block.contains(try #require(IPAddress(text))), "\(text)") }
        for text in outside { #expect(!block.contains(try #require(IPAddress(text))), "\(text)") }
    }

    @Test(
        "a block that is not exactly written is refused",
        arguments: [
            "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8",
            "10.0.0/8", "10.0.0.1/8", "010.0.0.1", "0x7f.1", "2130706433", "localhost", "::1/129",
            "fd00::1/8", "::ffff:10.0.0.0/95", "1.2.3.4\0", " 1.2.3.4", "[::1]", "fe80::1%lo",
        ])
    func refusal(text: String) {
        #expect(throws: CIDR.ParseError.self) { try CIDR(text) }
    }

    @Test("the refusal names the text and the slip")
    func explanation() throws {
        let error = #expect(throws: CIDR.ParseError.self) { try CIDR("10.1.2.3/8") }
        #expect(error?.description.contains("10.1.2.3/8") == true)
        #expect(error?.description.contains("beyond the prefix") == true)
    }
}
