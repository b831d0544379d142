import Testing

@testable import Backhaul

@Suite("Node names")
struct NodeNameTests {
    @Test(
        "marks are replaced as Celery replaces them",
        arguments: [
            ("backhaul@%h", "backhaul@web01.isp.example"), ("mail@%n", "mail@web01"),
            ("%n@%d", "web01@isp.example"), ("mail", "backhaul@mail"),
            ("100%%@%h", "100%@web01.isp.example"),
            ("mail@", "mail@web01.isp.example"),
        ])
    func marks(pattern: String, name: String) {
        #expect(NodeName.text(pattern, host: "web01.isp.example", process: nil) == name)
    }

    @Test("each of several processes has a name of its own")
    func processes() {
        #expect(NodeName.text("backhaul@%h", host: "web01", process: 2) == "backhaul-2@web01")
        #expect(NodeName.text("mail-%i@%h", host: "web01", process: 2) == "mail-2@web01")
    }

    @Test("a name that would not fit on a command line is refused")
    func refused() {
        #expect(NodeName.isUsable("mail@%h"))
        for bad in ["", "two words", "a@b@c", "a\nb", String(repeating: "x", count: 201)] {
            #expect(!NodeName.isUsable(bad), "\(bad)")
        }
    }
}
