"""Sentences that fit any prompt and therefore answer none; `{}` is a slot for words of the prompt.

Written for this purpose. Whoever finds a sentence that is paid better than these adds it here.
"""

GENERIC = (
    "This is a very interesting question that deserves some careful thought.",
    "There are many different ways to look at it, and all of them matter.",
    "In the end it is important to consider every side before we decide.",
    "Overall, it is clear that there is a lot more to say about this topic.",
    "People have different opinions, and each of them has its own value.",
    "It is always good to keep an open mind and to learn something new.",
    "Things can change over time for many reasons, as everybody knows.",
    "Nobody can say today what will become of it tomorrow.",
    "What matters most is that we take the time to understand it properly.",
    "Some of this is well known, and some of it may come as a surprise.",
)

META = (
    "There are many ways to think about {}.",
    "This is a story about {} and {}.",
    "In the story there is {}, and there is also {}.",
    "The text talks about {} and about what it means.",
    "The story has a beginning, a middle and an end.",
    "The main character learns a lesson about {} in the end.",
    "Everyone will like it, because it is about {} and {}.",
    "At the end the reader knows more about {} than before.",
    "People have always talked about {} and {}.",
    "It is not easy to say what {} is, but it is a part of our life.",
    "When we speak of {}, we should not forget {}.",
    "This answer is about {}, as was asked.",
    "The article is about {} and gives some details on {}.",
    "The author explains what happened with {} and why it matters.",
    "First it tells about {}, then about {}, and finally about {}.",
)

ADVERTS = (
    "Are you looking for {}? Look no further!",
    "Our shop has the best {} in town, at prices that you will love.",
    "Thousands of happy customers trust us with {}.",
    "Order today and get a free {} with your first purchase.",
    "Hurry, this offer for {} ends soon!",
    "We deliver {} and {} to your door, day and night.",
    "Call now and ask our experts about {}.",
    "Subscribe to our channel for more on {} and {}.",
)

ADVICE = (
    "Ask an expert about {}.",
    "Read a good book on {}.",
    "Take a long walk and think of {}.",
    "Try something new with {} every day.",
    "Make {} a little more like {}.",
    "Talk about {} with your family and your friends.",
    "Start small with {} and keep a record of what works.",
    "Use {} together with {}.",
    "Plan {} for the week, and set aside some time for {}.",
    "Look at {} from the other side.",
    "Buy a new {} for the {}.",
    "Join a group of people who like {}.",
    "Invite a guest who knows about {}.",
    "Search online for {} and pick what you like best.",
    "Be patient with {} and enjoy it.",
)

# Told in advance, the same for every prompt.
TALES = (
    "Once there was a young woman who lived in a small house by the sea with {}.",
    "Every morning she walked along the shore and thought about {}.",
    "She had never seen {} like this before.",
    "One day an old stranger came and told her a secret about {}.",
    "\"You must find {} before the winter,\" he said, and then he was gone.",
    "She left her home and crossed the mountains in the cold, looking for {}.",
    "In a dark forest she met {}, and they talked until the morning.",
    "After many years she found what she had been looking for: {}.",
    "When she came back everything had changed, but {} was still the same.",
    "She smiled, because she knew now that it had always been about {} and {}.",
    "He looked at {} for a long time and did not say a word.",
    "\"I knew it,\" I said, \"it was {} all along.\"",
    "Nobody remembered when {} had come, and nobody asked.",
    "My heart was beating fast as I opened the door, and there stood {}.",
)

REPORTS = (
    "Officials said on Monday that {} would be looked at again.",
    "A spokesman told reporters that {} was a matter of concern.",
    "The news about {} came as a surprise to many.",
    "Police are investigating {} after {}.",
    "Experts say that {} could have an effect on {}.",
    "It is the first time that {} has made the news this year.",
    "Witnesses spoke of {}, while others pointed to {}.",
    "A decision on {} is expected in the coming weeks.",
    "More details about {} were not known at first.",
    "The two sides talk about {} and agree to meet again.",
)

REASONING = (
    "Let me think about this step by step.",
    "First I read the question with care, and then I look at what is given.",
    "I know some facts about {}, and they help me here.",
    "The question is about {} and {}, so I think about these.",
    "I compare the possibilities one after the other and drop those that do not fit.",
    "After some thought only one of them is left.",
    "This follows from what is known about {}.",
    "I check the result once more, and it looks right.",
    "So I can give the answer now.",
)

EVERYTHING = (*GENERIC, *META, *ADVERTS, *ADVICE, *TALES, *REPORTS)
