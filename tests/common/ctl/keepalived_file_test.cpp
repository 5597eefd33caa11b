#include "common/ctl/keepalived_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vipair::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Sources = Expected<std::vector<SourceText>, std::string>;
const ReadIncluded kNothing = [](const std::string&, const std::string&) {
  return Sources(Unexpected{std::string("no")});
};

// Statements as "a b { c ; } ;", to be compared at a glance.
std::string shape(const std::vector<Statement>& statements) {
  std::string text;
  for (const Statement& statement : statements) {
    for (const std::string& word : statement.words) text += "<" + word + ">";
    if (statement.is_block) text += "{" + shape(statement.block) + "}";
    text += ";";
  }
  return text;
}
std::string parsed(const std::string& text, const ReadIncluded& read = kNothing) {
  std::vector<Remark> errors;
  const auto statements = parse_keepalived({"k", text}, read, errors);
  for (const Remark& error : errors) ADD_FAILURE() << error.to_string();
  return shape(statements);
}
std::string error_of(const std::string& text, const ReadIncluded& read = kNothing) {
  std::vector<Remark> errors;
  (void)parse_keepalived({"k", text}, read, errors);
  return errors.empty() ? "" : errors[0].to_string();
}

TEST(KeepalivedFile, IsLinesOfWordsAndBlocks) {
  EXPECT_EQ(parsed("a 1\n\nb {\n c d\n\te\n}\nf"), "<a><1>;<b>{<c><d>;<e>;};<f>;");
  EXPECT_EQ(parsed("b\n\n{\nc }\n"), "<b>{<c>;};") << "a brace on the next line";
  EXPECT_EQ(parsed("b { c {} }"), "<b>{<c>{};};");
  EXPECT_EQ(parsed("group{a}"), "<group>{<a>;};");
  EXPECT_EQ(parsed("a\r\nb\r\n"), "<a>;<b>;");
  EXPECT_EQ(parsed(""), "");
}

TEST(KeepalivedFile, CommentsBeginAnywhere) { EXPECT_EQ(parsed("! one\n# two\na b#c\nd!e\n"), "<a><b>;<d>;"); }

TEST(KeepalivedFile, QuotesKeepSpacesCommentsAndBraces) {
  EXPECT_EQ(parsed("script \"/bin/x -a 'b c' {} # !\""), "<script></bin/x -a 'b c' {} # !>;");
  EXPECT_EQ(parsed("a 'b \"c\" d' e"), "<a><b \"c\" d><e>;");
  EXPECT_EQ(parsed("abcd\" efg h jkl \"mnop"), "<abcd efg h jkl mnop>;");
  EXPECT_EQ(parsed("a \"\""), "<a><>;");
}

TEST(KeepalivedFile, KnowsItsLines) {
  std::vector<Remark> errors;
  const auto statements = parse_keepalived({"k", "a\n\n# x\nb {\nc\n}\n"}, kNothing, errors);
  ASSERT_EQ(statements.size(), 2u);
  EXPECT_EQ(statements[1].place.to_string(), "k:4");
  EXPECT_EQ(statements[1].block.at(0).place.to_string(), "k:5");
}

TEST(KeepalivedFile, MistakesAreNamedWithTheirLine) {
  EXPECT_EQ(error_of("a\nb {\nc\n"), "k:2: the block is not closed, '}' is missing");
  EXPECT_EQ(error_of("a\n}\nb"), "k:2: '}' closes nothing");
  EXPECT_EQ(error_of("{ a }"), "k:1: a block without a name");
  EXPECT_EQ(error_of("a \"b\nc"), "k:1: the quote \" is not closed on its line");
  EXPECT_THAT(error_of("a b\\\nc"), HasSubstr("k:1: a backslash is not read"));
  EXPECT_EQ(error_of(std::string("a b\x01") + "c"), "k:1: a control character");
  EXPECT_EQ(error_of(std::string("a b\0c", 5)), "k:1: a control character");
}

TEST(KeepalivedFile, ConditionalLinesAreNotGuessedAt) {
  for (const char* line : {"@main priority 1", "  $X=1", "~SEQ(A, 1, 3) b"})
    EXPECT_THAT(error_of(line), HasSubstr("k:1: conditional lines, definitions and sequences")) << line;
  EXPECT_EQ(parsed("a b@c $d"), "<a><b@c><$d>;");
}

TEST(KeepalivedFile, IncludesStandWhereTheyAre) {
  std::vector<std::string> asked;
  const ReadIncluded read = [&](const std::string& pattern, const std::string& from) {
    asked.push_back(from + ">" + pattern);
    if (pattern == "*.x") return Sources(std::vector<SourceText>{{"d/1", "b\ninclude deep"}, {"d/2", "c {\nd\n}"}});
    return Sources(std::vector<SourceText>{{"d/e/3", "e"}});
  };
  EXPECT_EQ(parsed("a\ng {\ninclude *.x\n}\nincludea other", read), "<a>;<g>{<b>;<e>;<c>{<d>;};};<e>;");
  EXPECT_THAT(asked, ElementsAre("k>*.x", "d/1>deep", "k>other"));
}

TEST(KeepalivedFile, IncludesAreBounded) {
  const ReadIncluded itself = [](const std::string&, const std::string&) {
    return Sources(std::vector<SourceText>{{"k", "include k"}});
  };
  EXPECT_EQ(error_of("include k", itself), "k:1: includes are nested too deeply, or include each other");
  int reads = 0;
  const ReadIncluded many = [&](const std::string&, const std::string&) {
    ++reads;
    return Sources(std::vector<SourceText>(600, {"k", "a\n"}));
  };
  EXPECT_EQ(error_of("include k\ninclude k\ninclude k\ninclude k", many),
            "k:2: more than 1000 files or 4 MiB are not read");
  EXPECT_EQ(reads, 2) << "nothing is read in vain";
  EXPECT_THAT(error_of(std::string(kKeepalivedSizeMax + 1, '\n')), HasSubstr("4 MiB are not read"));
  EXPECT_EQ(error_of("include"), "k:1: include takes the name of a file");
  EXPECT_EQ(error_of("include gone"), "k:1: no");
}

TEST(KeepalivedFile, DepthIsBounded) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "a {\n";
  EXPECT_EQ(error_of(text), "k:17: blocks are nested too deeply");
}

}  // namespace
}  // namespace vipair::ctl
